import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cnnbp.arrays import Arena
from cnnbp.data.augment import AUGMENTATIONS, Brightness, Crop, Flip, Rotate, Shift, augment
from tests.data.images import noise

PIXELS = noise(3, 2, 5, 4)  # (m, C, H, W)
EACH = [Flip(axis="horizontal"), Flip(axis="vertical"), Shift(pixels=2), Rotate(degrees=90), Crop(pad=2)]
EACH.append(Brightness(fraction=0.5))


def draw(*values):
    """The same draws for each of the three images."""
    return np.tile(np.array(values, float), (3, 1))


def test_flip_mirrors_below_one_half_and_keeps_the_rest():
    uniforms = np.array([[0.0], [0.5], [0.49]])
    flipped = Flip(axis="horizontal").apply(PIXELS, uniforms, Arena())
    np.testing.assert_array_equal(flipped[[0, 2]], PIXELS[[0, 2], :, :, ::-1])
    np.testing.assert_array_equal(flipped[1], PIXELS[1])
    np.testing.assert_array_equal(Flip(axis="vertical").apply(PIXELS, uniforms, Arena())[0], PIXELS[0, :, ::-1])


def test_shift_moves_and_repeats_the_edge():
    moved = Shift(pixels=1).apply(PIXELS, draw(0.99, 0.0), Arena())  # one down, one to the left
    np.testing.assert_array_equal(moved[:, :, 1:, :-1], PIXELS[:, :, :-1, 1:])
    np.testing.assert_array_equal(moved[:, :, 0, :-1], PIXELS[:, :, 0, 1:])
    np.testing.assert_array_equal(moved[:, :, 1:, -1], PIXELS[:, :, :-1, -1])
    np.testing.assert_array_equal(Shift(pixels=1).apply(PIXELS, draw(0.5, 0.5), Arena()), PIXELS)


def test_a_shift_by_more_than_the_image_leaves_its_corner():
    moved = Shift(pixels=10**6).apply(PIXELS, draw(0.0, 0.99), Arena())  # far up and to the right
    np.testing.assert_array_equal(moved, np.broadcast_to(PIXELS[:, :, -1:, :1], PIXELS.shape))


def test_crop_moves_a_black_border_in():
    cropped = Crop(pad=2).apply(PIXELS, draw(0.0, 0.99), Arena())  # corner at row 0, column 4 of the padded image
    assert not cropped[:, :, :2].any()
    assert not cropped[:, :, :, 2:].any()
    np.testing.assert_array_equal(cropped[:, :, 2:, :2], PIXELS[:, :, :3, 2:])


def test_a_crop_out_of_a_border_wider_than_the_image_is_black():
    assert not Crop(pad=10**18).apply(PIXELS, draw(0.0, 0.99), Arena()).any()


def test_rotate_by_a_right_angle_is_exact_and_by_nothing_changes_nothing():
    square = noise(3, 2, 5, 5)
    np.testing.assert_array_equal(Rotate(degrees=90).apply(square, draw(0.0), Arena()), np.rot90(square, axes=(2, 3)))
    np.testing.assert_array_equal(Rotate(degrees=90).apply(square, draw(0.5), Arena()), square)


def test_rotate_interpolates_between_pixels():
    ramp = np.tile(np.arange(0, 210, 10, dtype=np.uint8), (3, 1, 21, 1))
    turned = Rotate(degrees=20).apply(ramp, draw(1.0), Arena())[0, 0]
    y, x = np.mgrid[-10:11, -10:11]
    wanted = 10 * (np.cos(np.deg2rad(20)) * x + np.sin(np.deg2rad(20)) * y + 10)
    np.testing.assert_allclose(turned[3:-3, 3:-3], wanted[3:-3, 3:-3], atol=0.51)


def test_brightness_scales_and_stops_at_white():
    levels = np.array([0, 100, 200], np.uint8).reshape(3, 1, 1, 1)
    assert Brightness(fraction=0.5).apply(levels, draw(1.0), Arena()).ravel().tolist() == [0, 150, 255]
    assert Brightness(fraction=0.5).apply(levels, draw(0.0), Arena()).ravel().tolist() == [0, 50, 100]


@pytest.mark.parametrize("step", EACH, ids=repr)
def test_images_keep_shape_and_type_and_the_originals_are_untouched(step):
    before = PIXELS.copy()
    changed = augment(PIXELS, [step], Arena(), seed=0, epoch=0, indices=np.arange(3))
    assert (changed.shape, changed.dtype) == (PIXELS.shape, np.uint8)
    np.testing.assert_array_equal(PIXELS, before)


@given(st.permutations(range(6)), st.integers(1, 6))
def test_an_image_is_changed_the_same_in_any_batch(order, cut):
    pixels, order = noise(6, 1, 5, 4), np.array(order)
    whole = augment(pixels, EACH, Arena(), seed=1, epoch=2, indices=np.arange(6))
    for part in (order[:cut], order[cut:]):
        np.testing.assert_array_equal(augment(pixels[part], EACH, Arena(), seed=1, epoch=2, indices=part), whole[part])


def test_another_epoch_or_seed_changes_images_differently():
    pixels = noise(20, 1, 8, 8)
    results = [
        augment(pixels, [Shift(pixels=2)], Arena(), seed=seed, epoch=epoch, indices=np.arange(20)).tobytes()
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert len(set(results)) == 3


def test_the_first_option_may_stand_alone():
    assert AUGMENTATIONS["shift"].model_validate(3) == Shift(pixels=3)
    assert AUGMENTATIONS["flip"].model_validate("vertical") == Flip(axis="vertical")
    assert AUGMENTATIONS["rotate"].model_validate({"degrees": 5}) == Rotate(degrees=5)


@pytest.mark.parametrize(
    ("name", "value"), [("shift", 0), ("shift", True), ("flip", "diagonal"), ("rotate", 200), ("crop", {"by": 1})]
)
def test_wrong_options_are_refused(name, value):
    with pytest.raises(ValidationError):
        AUGMENTATIONS[name].model_validate(value)
