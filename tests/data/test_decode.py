"""The rules of one image: formats, grey and colour, transparency, modes, 16 bits, EXIF, frames, sizes, damage."""

import io
import struct
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnbp.data import convert, decode
from cnnbp.data.decode import ImageFormat, read_image
from cnnbp.data.opening import muted_pillow
from cnnbp.errors import DataError
from tests.data.images import decode_image, noise, save
from tests.data.png import chunk, header, png

GREY = ImageFormat(channels=1, height=4, width=6)
COLOUR = replace(GREY, channels=3)


def test_a_grey_png_of_the_right_size_comes_back_unchanged(tmp_path):
    pixels = noise(4, 6)
    np.testing.assert_array_equal(decode_image(save(tmp_path / "x.png", pixels), GREY), pixels[None])


def test_a_colour_image_is_channels_first(tmp_path):
    pixels = noise(4, 6, 3)
    decoded = decode_image(save(tmp_path / "x.png", pixels), COLOUR)
    np.testing.assert_array_equal(decoded, pixels.transpose(2, 0, 1))
    assert decoded.flags.c_contiguous


def test_grey_and_colour_become_what_the_network_wants(tmp_path):
    grey, colour = noise(4, 6), noise(4, 6, 3)
    repeated = decode_image(save(tmp_path / "g.png", grey), COLOUR)
    np.testing.assert_array_equal(repeated, np.stack([grey] * 3))
    luma = decode_image(save(tmp_path / "c.png", colour), GREY)[0]
    np.testing.assert_allclose(luma, colour @ [0.299, 0.587, 0.114], atol=1)


@pytest.mark.parametrize("extension", ["png", "bmp", "gif", "webp", "tif", "ppm", "pgm"])
def test_every_lossless_format_gives_the_same_pixels(tmp_path, extension):
    pixels = noise(4, 6)
    options = {"lossless": True} if extension == "webp" else {}
    image = Image.fromarray(pixels)
    path = save(tmp_path / f"x.{extension}", image.convert("RGB") if extension in ("webp", "ppm") else image, **options)
    np.testing.assert_array_equal(decode_image(path, GREY)[0], pixels)


def test_the_content_decides_whatever_the_file_is_called(tmp_path):
    path = save(tmp_path / "x.png", noise(4, 6), format="BMP")
    np.testing.assert_array_equal(decode_image(path, GREY)[0], noise(4, 6))


@pytest.mark.parametrize(("background", "expected"), [(255, 255), (0, 0), ((255, 0, 0), 76)])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparent_pixels_show_the_background(tmp_path, mode, background, expected):
    image = Image.new("RGBA", (6, 4), (10, 20, 30, 0))
    options = {}
    if mode == "P":
        image, options = Image.new("P", (6, 4), 1), {"transparency": 1}
        image.putpalette([0, 0, 0, 10, 20, 30])
    path = save(tmp_path / "x.png", image.convert(mode), **options)
    assert (decode_image(path, replace(GREY, background=background)) == expected).all()


def test_only_an_image_with_a_transparent_pixel_is_called_transparent(tmp_path):
    alpha = np.full((2, 2, 4), 255, np.uint8)
    assert read_image(save(tmp_path / "1.png", alpha), ImageFormat(3, 2, 2)).notes == {convert.FAINT}
    alpha[1, 1] = (9, 9, 9, 254)
    assert read_image(save(tmp_path / "2.png", alpha), ImageFormat(3, 2, 2)).notes == {convert.ALPHA}


@pytest.mark.parametrize(
    ("pixels", "faint"),
    [
        (np.array([[0, 4095]], np.uint16), True),
        (np.array([[0, 4095 * 16]], np.uint16), False),
        (np.array([[0, 1]], np.uint8), True),
        (np.array([[230, 255]], np.uint8), True),
        (np.array([[229, 255]], np.uint8), False),
        (np.array([[[9, 9, 9], [9, 9, 60]]], np.uint8), False),
    ],
)
def test_images_that_use_little_of_their_range_are_noted(tmp_path, pixels, faint):
    notes = read_image(save(tmp_path / "a.png", pixels), ImageFormat(1, 1, 2)).notes
    assert (convert.FAINT in notes) == faint


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "L", "P"])
def test_with_four_channels_transparency_stays(tmp_path, mode):
    image = Image.new("RGBA", (6, 4), (40, 40, 40, 60))
    alpha = 60 if mode in ("RGBA", "LA") else 255
    options = {"transparency": 0} if mode == "P" else {}
    path = save(tmp_path / "x.png", Image.new("P", (6, 4)) if mode == "P" else image.convert(mode), **options)
    expected = [0, 0, 0, 0] if mode == "P" else [40, 40, 40, alpha]
    pixels = decode_image(path, ImageFormat(4, 4, 6)).reshape(4, -1).T
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))


def test_with_four_channels_a_sixteen_bit_level_that_is_transparent_stays_so_and_pads_do_not(tmp_path):
    plain = save(tmp_path / "x.png", np.full((4, 6), 257 * 9, np.uint16)).read_bytes()
    at = plain.index(b"IDAT") - 4
    (tmp_path / "x.png").write_bytes(plain[:at] + chunk(b"tRNS", struct.pack(">H", 257 * 9)) + plain[at:])
    decoded = decode_image(tmp_path / "x.png", ImageFormat(4, 6, 6, fit="pad", background=(1, 2, 3)))
    assert decoded[:, 0, 0].tolist() == [1, 2, 3, 255]
    assert decoded[3, 3, 3] == 0


def test_half_transparent_pixels_are_blended(tmp_path):
    path = save(tmp_path / "x.png", Image.new("RGBA", (6, 4), (0, 0, 0, 128)))
    assert (decode_image(path, COLOUR) == 127).all()


def test_a_transparent_grey_level_shows_the_background(tmp_path):
    pixels = np.full((4, 6), 7, np.uint8)
    pixels[0, 0] = 8
    path = save(tmp_path / "x.png", pixels, transparency=7)
    decoded = decode_image(path, GREY)[0]
    assert decoded[0, 0] == 8
    assert decoded[1, 1] == 255


def test_palette_and_one_bit_images_mean_their_colours(tmp_path):
    palette = Image.new("P", (6, 4), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    np.testing.assert_array_equal(decode_image(save(tmp_path / "p.png", palette), COLOUR)[:, 0, 0], [200, 100, 50])
    assert (decode_image(save(tmp_path / "1.png", Image.new("1", (6, 4), 1)), GREY) == 255).all()


def test_cmyk_is_converted_by_meaning(tmp_path):
    path = save(tmp_path / "x.jpg", Image.new("CMYK", (6, 4), (255, 0, 0, 0)), quality=100)
    np.testing.assert_allclose(decode_image(path, COLOUR)[:, 0, 0], [0, 255, 255], atol=3)


def test_ycbcr_is_converted_by_meaning(tmp_path):
    path = save(tmp_path / "x.tif", Image.new("RGB", (6, 4), (200, 100, 50)).convert("YCbCr"))
    with Image.open(path) as image:
        assert image.mode == "YCbCr"
    np.testing.assert_allclose(decode_image(path, COLOUR)[:, 0, 0], [200, 100, 50], atol=2)


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_divided_by_257(tmp_path, extension):
    pixels = np.linspace(0, 65535, 24).round().astype(np.uint16).reshape(4, 6)
    decoded = decode_image(save(tmp_path / f"x.{extension}", pixels), GREY)[0]
    np.testing.assert_array_equal(decoded, np.rint(pixels / 257))


def test_a_sixteen_bit_transparent_level_shows_the_background(tmp_path):
    plain = save(tmp_path / "x.png", np.full((4, 6), 1000, np.uint16)).read_bytes()
    at = plain.index(b"IDAT") - 4
    (tmp_path / "x.png").write_bytes(plain[:at] + chunk(b"tRNS", struct.pack(">H", 1000)) + plain[at:])
    assert (decode_image(tmp_path / "x.png", GREY) == 255).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_a_range_are_refused(tmp_path, dtype):
    path = save(tmp_path / "x.tif", np.ones((4, 6), dtype))
    with pytest.raises(DataError, match="no range that says what is white"):
        decode_image(path, GREY)


def stored_as(picture, orientation):
    """Turn an upright picture as a camera that notes this EXIF orientation would store it."""
    inverse = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    method = inverse.get(orientation) or convert._UPRIGHT.get(orientation)
    exif = Image.Exif()
    exif[274] = orientation
    return (picture.transpose(method) if method is not None else picture), exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_the_exif_orientation_is_applied(tmp_path, extension, orientation):
    pixels = noise(4, 6, 3)
    stored, exif = stored_as(Image.fromarray(pixels), orientation)
    options = {"lossless": True} if extension == "webp" else {}
    path = save(tmp_path / f"x.{extension}", stored, exif=exif, **options)
    np.testing.assert_array_equal(decode_image(path, COLOUR), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_the_same_picture_however_the_camera_was_held(tmp_path, orientation):
    picture = Image.fromarray(noise(4, 6, 3)).resize((600, 400), Image.Resampling.BICUBIC)
    stored, exif = stored_as(picture, orientation)
    held, upright = (
        decode_image(save(tmp_path / name, image, quality=95, **options), COLOUR).astype(int)
        for name, image, options in (("held.jpg", stored, {"exif": exif}), ("upright.jpg", picture, {}))
    )
    assert np.abs(held - upright).max() <= 3


def test_broken_exif_data_is_ignored_and_noted(tmp_path):
    path = save(tmp_path / "x.png", noise(4, 6), exif=b"Exif\0\0" + b"garbage that is no TIFF header")
    with muted_pillow():
        assert convert.BAD_EXIF in read_image(path, GREY).notes


def test_exif_data_does_not_make_broken_pixels_readable(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "x.png"
    path.write_bytes(png(header(6, 4), chunk(b"IDAT", b"nothing deflated"), chunk(b"eXIf", exif.tobytes()[6:])))
    with pytest.raises(DataError, match="broken data stream"):
        decode_image(path, GREY)


def test_the_first_frame_of_an_animation_is_used_and_noted(tmp_path):
    first, second = (Image.fromarray(noise(4, 6, seed=seed)) for seed in (0, 1))
    path = save(tmp_path / "x.gif", first, save_all=True, append_images=[second])
    decoded = read_image(path, GREY)
    np.testing.assert_array_equal(decoded.pixels[0], noise(4, 6))
    assert decoded.notes == {decode.ANIMATED}


def test_a_large_jpeg_shrinks_to_nearly_the_same_pixels_as_a_png(tmp_path):
    gradient = np.add.outer(np.arange(512), np.arange(768)).astype(np.float64) * 255 / 1278
    pixels = gradient.astype(np.uint8)
    small = [decode_image(save(tmp_path / name, pixels), GREY).astype(int) for name in ("x.jpg", "x.png")]
    assert np.abs(small[0] - small[1]).max() <= 2


@pytest.mark.parametrize("extension", ["png", "jpg", "gif", "webp", "tif", "bmp", "pgm"])
def test_a_truncated_file_is_an_error(tmp_path, extension):
    path = save(tmp_path / f"x.{extension}", noise(64, 64))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=f"x.{extension}"):
        decode_image(path, GREY)


def encoded(image_format):
    buffer = io.BytesIO()
    Image.fromarray(noise(8, 8)).save(buffer, image_format)
    return buffer.getvalue()


@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP"]), st.data())
def test_a_damaged_file_decodes_or_is_a_data_error(tmp_path_factory, image_format, data):
    damaged = bytearray(encoded(image_format))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "x.png"
    path.write_bytes(damaged)
    with suppress(DataError):
        assert decode_image(path, GREY).shape == GREY.shape
