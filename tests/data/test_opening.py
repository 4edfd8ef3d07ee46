"""The wall around Pillow: foreign content, size limits, checksums, every kind of exception, and silence."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from cnnbp.data.opening import UnreadableImage, muted_pillow, opened_image
from tests.data.images import noise, save
from tests.data.png import chunk, header, pixel_data, png

MILLION = 1_000_000
ONE_PIXEL = pixel_data(np.zeros((1, 1, 1), int), 8)


def load(path, max_pixels=MILLION):
    with muted_pillow(), opened_image(path, max_pixels) as image:
        image.load()


def written(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    return path


def test_a_postscript_file_called_png_is_refused(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(noise(4, 6)).save(path, format="EPS")
    with pytest.raises(UnreadableImage, match="content is not PNG"):
        load(path)


def test_an_empty_a_foreign_and_a_missing_file_say_so_with_their_path(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    for name, reason in [("empty.png", "the file is empty"), ("text.png", "content is not"), ("absent.png", "No such")]:
        with pytest.raises(UnreadableImage, match=rf"{name}'.*{reason}"):
            load(tmp_path / name)


def test_a_huge_image_is_refused_from_its_header(tmp_path):
    with pytest.raises(UnreadableImage, match=r"9000×9000 is 81.0 million pixels; data.max_pixels allows 1 million"):
        load(written(tmp_path, png(header(9_000, 9_000), ONE_PIXEL)))
    with pytest.raises(UnreadableImage, match="more pixels than Pillow would ever decode"):
        load(written(tmp_path, png(header(60_000, 50_000), ONE_PIXEL)), max_pixels=60_000 * 50_000)


@pytest.mark.parametrize("size", [(1, MILLION + 1), (MILLION + 1, 1)])
def test_a_thread_of_pixels_is_refused_from_its_header(tmp_path, size):
    with pytest.raises(UnreadableImage, match="has a side of more than 1 million pixels"):
        load(written(tmp_path, png(header(*size), ONE_PIXEL)), max_pixels=2 * MILLION)


def test_a_file_that_no_image_can_fill_is_refused_unread(tmp_path):
    path = save(tmp_path / "x.webp", noise(4, 6))
    os.truncate(path, 300 * MILLION)  # without taking that much disk
    with pytest.raises(UnreadableImage, match="300 MB are too much for an image file"):
        load(path)


START_OF_SCAN = b"\xff\xda"


@pytest.mark.parametrize("progressive", [False, True], ids=["sequential", "progressive"])
def test_a_jpeg_may_not_begin_again_without_end(tmp_path, progressive):
    path = save(tmp_path / "x.jpg", Image.new("RGB", (1000, 1000), "red"), progressive=progressive)
    load(path)
    plain = path.read_bytes()
    first = plain.index(START_OF_SCAN)
    empty = START_OF_SCAN + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0 if progressive else 63, 0)  # of the first channel
    path.write_bytes(plain[:first] + 3000 * empty + plain[first:])
    with pytest.raises(UnreadableImage, match=r"30\d\d scans .* at most 100"):
        load(path)


def test_what_looks_like_a_scan_beside_the_picture_is_none(tmp_path):
    path = save(tmp_path / "x.jpg", noise(1000, 1000), comment=200 * START_OF_SCAN)
    path.write_bytes(path.read_bytes() + 200 * START_OF_SCAN)
    load(path)


def test_a_changed_byte_in_a_png_is_found_wherever_it_is(tmp_path):
    plain = save(tmp_path / "x.png", noise(9, 9)).read_bytes()
    for place in range(len(plain) - 12):  # all but the end chunk
        damaged = bytearray(plain)
        damaged[place] ^= 16
        with pytest.raises(UnreadableImage):
            load(written(tmp_path, damaged))


def test_a_png_whose_end_is_cut_off_behind_its_pixels_is_whole(tmp_path):
    load(written(tmp_path, save(tmp_path / "y.png", noise(9, 9)).read_bytes()[:-12]))


BOMB = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80 * MILLION)))
HOSTILE = {
    "a text that inflates to 80 MB": png(header(1, 1), BOMB, ONE_PIXEL),
    "no pixel data": png(header(1, 1)),
    "no pixels": png(header(0, 1), ONE_PIXEL),
    "a chunk as long as can be": png(header(1, 1))[:-12] + struct.pack(">I", 2**32 - 1) + b"IDAT",
    "an unknown colour type": png(header(1, 1, colour_type=5), ONE_PIXEL),
    "a GIF whose frame is larger than memory": b"GIF89a"
    + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    + b","
    + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
    + b"\x08\x01\x00\x00;",
    "a TIFF whose directory is itself": b"II*\0" + struct.pack("<IHI", 8, 0, 8),
    "a BMP of unknown compression": b"BM"
    + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 1, 1, 1, 24, 99, 0, 1, 1, 0, 0),
    "a PGM of negative size": b"P5 -1 -1 255 ",
    "a JPEG of markers only": b"\xff\xd8" + 1000 * b"\xff\xda\x00\x02" + b"\xff\xd9",
    "a WebP of zero length": b"RIFF\0\0\0\0WEBPVP8 ",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_unreadable_and_nothing_worse(tmp_path, content):
    with pytest.raises(UnreadableImage, match=r"cannot read '.*x\.png': \w"):
        load(written(tmp_path, content))


def in_a_process_of_its_own(path):
    program = (
        "import pathlib, sys\n"
        "from cnnbp.data.decode import ImageFormat\n"
        "from tests.data.images import decode_image\n"
        "try: decode_image(pathlib.Path(sys.argv[1]), ImageFormat(1, 4, 6))\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    return run.stdout, run.stderr


def test_libtiff_does_not_write_to_stderr(tmp_path):
    path = save(tmp_path / "x.tif", noise(64, 64), compression="tiff_lzw")
    path.write_bytes(path.read_bytes().replace(struct.pack("<HH", 273, 4), struct.pack("<HH", 65000, 4)))
    assert in_a_process_of_its_own(path) == ("UnreadableImage\n", "")


def test_pillow_does_not_log_to_stderr(tmp_path):
    path = save(tmp_path / "x.tif", noise(8, 8, 4))
    samples = struct.pack("<HHIH", 277, 3, 1, 4)  # SamplesPerPixel
    assert samples in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(samples, struct.pack("<HHIH", 277, 3, 1, 8)))
    assert in_a_process_of_its_own(path) == ("UnreadableImage\n", "")
