import numpy as np
import pytest

from cnnbp.gradcheck.diagnosis import arrangement
from tests.gradcheck.diagnosis.patterns import KERNEL, MAPS, MATRIX, numbers, pattern, unchecked

W = numbers(4, 3, 3, 3)


@pytest.mark.parametrize("numeric", [W, unchecked(W)], ids=["all", "sampled"])
def test_a_flipped_kernel(numeric):
    hint = arrangement.flipped(pattern(W[..., ::-1, ::-1], numeric, KERNEL))
    assert hint == "right when it is turned by 180°: the kernel is flipped"
    assert "rows reversed" in arrangement.flipped(pattern(W[..., ::-1, :], numeric, KERNEL))
    assert arrangement.flipped(pattern(2 * W, numeric, KERNEL)) is None
    assert arrangement.flipped(pattern(W.ravel()[::-1], W.ravel(), ("channel",))) is None


def test_rows_and_columns_exchanged():
    assert "H and W" in arrangement.places_transposed(pattern(W.swapaxes(2, 3), W, KERNEL))
    assert arrangement.places_transposed(pattern(W[..., ::-1], W, KERNEL)) is None


def test_channels_exchanged():
    square, matrix = numbers(3, 3, 2, 2), numbers(4, 6)
    assert "filters and channels" in arrangement.channels_swapped(pattern(square.swapaxes(0, 1), square, KERNEL))
    transposed = np.ascontiguousarray(matrix.T).reshape(matrix.shape)
    assert "units and features" in arrangement.channels_swapped(pattern(transposed, matrix, MATRIX))
    assert arrangement.channels_swapped(pattern(2 * matrix, matrix, MATRIX)) is None


def test_shifted_by_a_row_and_a_column():
    right = numbers(2, 5, 6, 3)
    moved = np.zeros_like(right)
    moved[:, 1:, 1:] = right[:, :-1, :-1]
    assert arrangement.shifted(pattern(moved, right, MAPS)).startswith("right when moved by one row and one column")
    assert arrangement.shifted(pattern(3 * right, right, MAPS)) is None


def test_the_right_numbers_at_other_places():
    right = numbers(2, 3, 4, 3)
    assert "order of axes" in arrangement.out_of_order(pattern(right.reshape(4, 3, 2, 3).T.reshape(right.shape), right))
    assert arrangement.out_of_order(pattern(right + 1, right)) is None


def test_what_belongs_to_another_channel():
    right = numbers(3, 5, 6, 3)
    wrong = right.copy()
    wrong[0] = right[2]
    assert arrangement.another_channels(pattern(wrong, right, MAPS)) == "channel 0 holds what belongs to channel 2"
    assert arrangement.another_channels(pattern(right + numbers(3, 1, 1, 1), right, MAPS)) is None


def test_one_number_along_an_axis():
    mean = np.broadcast_to(W.mean(axis=1, keepdims=True), W.shape)
    assert arrangement.same_along_an_axis(pattern(mean, W, KERNEL)) == (
        "the same for every channel: averaged, or one stands for all"
    )
    assert arrangement.same_along_an_axis(pattern(2 * W, W, KERNEL)) is None
