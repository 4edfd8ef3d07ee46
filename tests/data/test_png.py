"""Every kind of pixel that PNG has, against its specification: https://www.w3.org/TR/png-3/#6Colour-values."""

import struct

import numpy as np
import pytest
from PIL import Image

from cnnbp.data.decode import ImageFormat
from tests.data.images import decode_image, noise, save
from tests.data.png import CHANNELS, COLOUR, COLOUR_ALPHA, GREY, GREY_ALPHA, PALETTE, chunk, header, pixel_data, png
from tests.data.png_reader import picture

COLOURS = ImageFormat(channels=3, height=9, width=11)
KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((kind, depth) for kind in (COLOUR, GREY_ALPHA, COLOUR_ALPHA) for depth in (8, 16)),
]
HALF_A_LEVEL = 0.51


def random_samples(colour_type, depth):
    return np.random.default_rng(depth).integers(0, 1 << depth, (9, 11, CHANNELS[colour_type]))


def random_palette():
    return np.random.default_rng(1).integers(0, 256, (256, 3))


def on_white(colour, alpha):
    """Blend levels 0…1 (H, W, 3) with alpha 0…1 (H, W); return (3, H, W) in 0…255."""
    return 255 * (colour * alpha[..., None] + 1 - alpha[..., None]).transpose(2, 0, 1)


def expected(samples, colour_type, depth):
    if colour_type == PALETTE:
        return random_palette()[samples[..., 0]].transpose(2, 0, 1)
    levels = samples / ((1 << depth) - 1)
    alpha = levels[..., -1] if colour_type in (GREY_ALPHA, COLOUR_ALPHA) else np.ones(samples.shape[:2])
    colour = levels[..., :3] if colour_type in (COLOUR, COLOUR_ALPHA) else np.repeat(levels[..., :1], 3, axis=-1)
    return on_white(colour, alpha)


def write(tmp_path, colour_type, depth, samples, *extra, interlaced=False):
    palette = [chunk(b"PLTE", random_palette()[: 1 << depth].astype(np.uint8).tobytes())] * (colour_type == PALETTE)
    head = header(11, 9, depth, colour_type, interlaced)
    path = tmp_path / "x.png"
    path.write_bytes(png(head, *palette, *extra, pixel_data(samples, depth, interlaced)))
    return path


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(("colour_type", "depth"), KINDS)
def test_every_colour_type_and_depth_means_what_the_specification_says(tmp_path, colour_type, depth, interlaced):
    samples = random_samples(colour_type, depth)
    decoded = decode_image(write(tmp_path, colour_type, depth, samples, interlaced=interlaced), COLOURS)
    cut = {GREY: 0, COLOUR: 1}.get(colour_type, 2) if depth == 16 else 0  # Pillow keeps the upper 8 of 16 bits
    np.testing.assert_allclose(decoded, expected(samples, colour_type, depth), atol=HALF_A_LEVEL + cut)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_entries_may_be_half_transparent(tmp_path, depth):
    samples = random_samples(PALETTE, depth)
    opacity = np.linspace(0, 255, 1 << depth).astype(np.uint8)
    decoded = decode_image(write(tmp_path, PALETTE, depth, samples, chunk(b"tRNS", opacity.tobytes())), COLOURS)
    wanted = on_white(random_palette()[samples[..., 0]] / 255, opacity[samples[..., 0]] / 255)
    np.testing.assert_allclose(decoded, wanted, atol=HALF_A_LEVEL)


@pytest.mark.parametrize(
    ("colour_type", "depth"), [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (COLOUR, 8), (COLOUR, 16)]
)
def test_one_transparent_colour_shows_the_background(tmp_path, colour_type, depth):
    samples = random_samples(colour_type, depth)
    key = samples[4, 5]
    extra = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    decoded = decode_image(write(tmp_path, colour_type, depth, samples, extra), COLOURS)
    levels = samples / ((1 << depth) - 1)
    opaque = (samples != key).any(axis=-1).astype(float)
    cut = (colour_type, depth) == (COLOUR, 16)
    wanted = on_white(np.broadcast_to(levels, (9, 11, 3)), opaque)
    np.testing.assert_allclose(decoded, wanted, atol=HALF_A_LEVEL + cut)


@pytest.mark.parametrize(("colour_type", "depth"), [(GREY, 4), (GREY, 16), (COLOUR, 8), (COLOUR, 16), (PALETTE, 8)])
def test_the_files_own_background_gives_way_to_the_configured_one(tmp_path, colour_type, depth):
    samples = np.zeros((9, 11, CHANNELS[colour_type]), int)
    own = struct.pack(">B" if colour_type == PALETTE else f">{samples.shape[-1]}H", *[1] * samples.shape[-1])
    transparent = b"\0" if colour_type == PALETTE else bytes(2 * samples.shape[-1])
    path = write(tmp_path, colour_type, depth, samples, chunk(b"tRNS", transparent), chunk(b"bKGD", own))
    assert (decode_image(path, COLOURS) == 255).all()


@pytest.mark.parametrize("kind", [GREY_ALPHA, COLOUR_ALPHA])
def test_the_files_own_background_gives_way_behind_alpha_too(tmp_path, kind):
    samples = np.zeros((9, 11, CHANNELS[kind]), int)
    own = struct.pack(f">{CHANNELS[kind] - 1}H", *[128] * (CHANNELS[kind] - 1))
    assert (decode_image(write(tmp_path, kind, 8, samples, chunk(b"bKGD", own)), COLOURS) == 255).all()


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
def test_small_and_odd_sizes_lose_no_pixel(tmp_path, interlaced):
    for side in (*range(1, 10), *range(32, 41)):
        samples = np.random.default_rng(side).integers(0, 4, (side, side, 1))
        path = tmp_path / "x.png"
        path.write_bytes(png(header(side, side, 2, GREY, interlaced), pixel_data(samples, 2, interlaced)))
        np.testing.assert_array_equal(decode_image(path, ImageFormat(1, side, side))[0], samples[..., 0] * 85)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "P"])
def test_filtered_rows_are_what_the_specification_makes_of_them(tmp_path, mode):
    smooth = Image.fromarray(noise(9, 11, 4)).resize((44, 36), Image.Resampling.BICUBIC)
    path = save(tmp_path / "x.png", smooth.convert(mode))
    decoded = decode_image(path, ImageFormat(3, 36, 44)).transpose(1, 2, 0)
    np.testing.assert_allclose(decoded, picture(path.read_bytes()), atol=HALF_A_LEVEL)
