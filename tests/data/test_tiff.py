"""TIFFs by their tags: read as they are meant, or called what they are."""

import numpy as np
import pytest
from PIL import Image

from cnnbp.data import convert
from cnnbp.data.decode import ImageFormat, read_image
from cnnbp.data.opening import UnreadableImage, muted_pillow
from cnnbp.data.survey import survey_images
from tests.data.tiff import write_tiff


@pytest.fixture(autouse=True)
def _muted():
    with muted_pillow():
        yield


def read(path, width=4, height=2, channels=1):
    """Return the pixels (H, W), or (H, W, 3), and the notes."""
    found = read_image(path, ImageFormat(channels, height, width))
    return found.pixels.transpose(1, 2, 0).squeeze(), found.notes


LEVELS = np.array([[0, 257, 32896, 65535], [65535, 0, 514, 257]], "<u2")


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_sixteen_bits_where_white_is_0_are_turned_round(tmp_path, compression):
    path = write_tiff(tmp_path / "a.tif", LEVELS.tobytes(), size=(4, 2), bits=16, photometric=0)
    if compression:
        Image.fromarray(LEVELS).save(path, compression=compression, tiffinfo={262: 0})
    np.testing.assert_array_equal(read(path)[0], 255 - LEVELS // 257)


def test_eight_bits_where_white_is_0_are_turned_round_once(tmp_path):
    path = write_tiff(tmp_path / "a.tif", bytes(range(0, 160, 20)), size=(4, 2), photometric=0)
    np.testing.assert_array_equal(read(path)[0].ravel(), 255 - np.arange(0, 160, 20))


@pytest.mark.parametrize(("bits", "samples", "photometric"), [(8, 1, 1), (16, 1, 1), (8, 3, 2)])
def test_signed_numbers_are_refused(tmp_path, bits, samples, photometric):
    path = write_tiff(
        tmp_path / "a.tif", bytes(8 * samples * bits // 8), size=(4, 2), bits=bits, samples=samples,
        photometric=photometric, t339=(2,) * samples,
    )  # fmt: skip
    with pytest.raises(UnreadableImage, match="signed"):
        read(path)


@pytest.mark.parametrize("factor", [1, 257], ids=["8 bits", "16 bits"])
def test_a_colour_map_of_either_depth_gives_the_same_colours(tmp_path, factor):
    colours = np.arange(256)[:, None] * [1, 2, 3] % 256  # (256, RGB)
    colour_map = tuple((colours.T * factor).ravel().tolist())
    path = write_tiff(tmp_path / "a.tif", bytes(range(0, 240, 30)), size=(4, 2), photometric=3, t320=colour_map)
    np.testing.assert_array_equal(read(path, channels=3)[0].reshape(-1, 3), colours[range(0, 240, 30)])


def test_premultiplied_grey_is_read(tmp_path):
    pixels = bytes([100, 255, 50, 128, 0, 0, 200, 255] * 2)  # grey, alpha
    path = write_tiff(tmp_path / "a.tif", pixels, size=(4, 2), samples=2, t338=1)
    found, notes = read(path)
    np.testing.assert_allclose(found[0], [100, 50 + 127, 255, 200], atol=1)
    assert notes == {convert.ALPHA}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_before_decoding_and_the_note_follow_the_orientation(tmp_path, orientation):
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 4) * 30
    path = write_tiff(tmp_path / "a.tif", pixels.tobytes(), size=(4, 2), t274=orientation)
    found = survey_images([path])
    lies = orientation >= 5
    assert (found.height, found.width) == ((4, 2) if lies else (2, 4))
    upright, notes = read(path, found.width, found.height)
    assert notes == ({convert.ROTATED} if orientation > 1 else set())
    turned = pixels.T if lies else pixels  # stored rows are upright columns
    down, right = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[
        orientation
    ]
    np.testing.assert_array_equal(upright, turned[::down, ::right])


@pytest.mark.parametrize(
    ("bits", "samples", "photometric", "tags", "told"),
    [
        (10, 1, 1, {}, r"10 bits a sample \(unsigned\), 1 a pixel, grey, compression raw; convert it to 8 or 16 bits"),
        (3, 1, 0, {}, r"3 bits a sample \(unsigned\), 1 a pixel, grey, white is 0, compression raw"),
        (16, 1, 1, {"t339": 3}, r"16 bits a sample \(float\), 1 a pixel, grey"),
        (32, 3, 2, {}, r"32 bits a sample \(unsigned\), 3 a pixel, RGB"),
        (8, 1, 1, {"t259": 40000}, r"8 bits a sample \(unsigned\), 1 a pixel, grey, compression 40000"),
    ],
)
def test_a_sound_tiff_that_pillow_cannot_decode_is_called_that_with_its_tags(
    tmp_path, bits, samples, photometric, tags, told
):
    arguments = {"size": (4, 2), "bits": bits, "samples": samples, "photometric": photometric, **tags}
    path = write_tiff(tmp_path / "a.tif", bytes(bits * samples), **arguments)
    with pytest.raises(UnreadableImage, match=f"a TIFF that Pillow cannot decode: {told}"):
        read(path)
    write_tiff(path, bytes(bits * samples), **arguments, t279=10**6)
    with pytest.raises(UnreadableImage, match=r"its content is not PNG.* or its header is damaged"):
        read(path)


def test_what_libtiff_does_not_decode_is_told_with_its_tags(tmp_path):
    path = write_tiff(tmp_path / "a.tif", b"\x07" * 40, size=(4, 2), t259=8)
    with pytest.raises(
        UnreadableImage, match=r"damaged, or of a kind that Pillow cannot decode: 8 bits .*adobe_deflate"
    ):
        read(path)


def test_a_big_endian_bigtiff_is_called_that(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"MM\0+\0\x08\0\0" + bytes(7) + b"\x10" + bytes(40))
    with pytest.raises(UnreadableImage, match="BigTIFF in Motorola's byte order"):
        read(tmp_path / "a.tif")
