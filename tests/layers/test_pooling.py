import numpy as np
import pytest
from pydantic import ValidationError

from cnnbp.errors import ShapeError
from cnnbp.layers import AvgPool2d, Context, GlobalAvgPool2d, MaxPool2d


def routed(pool: MaxPool2d, image: list[list[float]]) -> list[list[float]]:
    """Return where the gradient of a sum of all outputs goes, for one image of one channel."""
    x = np.array(image, float)[None, :, :, None]
    y, cache = pool.forward({}, x, Context())
    dx, _ = pool.backward({}, cache, np.ones_like(y), Context())
    return dx[0, :, :, 0].tolist()


def test_a_tied_maximum_sends_its_gradient_to_the_first_position():
    assert routed(MaxPool2d(kernel=2), [[3, 3], [3, 3]]) == [[1, 0], [0, 0]]
    assert routed(MaxPool2d(kernel=2), [[0, 3], [3, 3]]) == [[0, 1], [0, 0]]
    assert routed(MaxPool2d(kernel=2), [[0, 1], [3, 3]]) == [[0, 0], [1, 0]]  # row by row, not column by column


def test_ties_of_overlapping_windows_are_settled_window_by_window():
    assert routed(MaxPool2d(kernel=(1, 2), stride=1), [[3, 3, 3]]) == [[1, 1, 0]]
    assert routed(MaxPool2d(kernel=2, stride=1), [[0, 0, 0], [0, 7, 0], [0, 0, 0]]) == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]


def test_padding_never_wins_a_maximum():
    assert routed(MaxPool2d(kernel=2, pad=1), [[-5, -7], [-9, -3]]) == [[1, 1], [1, 1]]


def test_the_branches_are_the_positions_of_the_first_maxima():
    x = np.array([[1.0, 4, 2, 2], [3, 4, 2, 2]])[None, :, :, None]
    pool = MaxPool2d(kernel=2)
    _, cache = pool.forward({}, x, Context())
    np.testing.assert_array_equal(pool.branches({}, cache, Context())[0, :, :, 0], [[1, 0]])


def test_given_branches_read_where_they_say():
    x = np.array([[1.0, 4], [3, 2]])[None, :, :, None]
    y = MaxPool2d(kernel=2).forward_on({}, x, np.full((1, 1, 1, 1), 2), Context())
    np.testing.assert_array_equal(y, np.full((1, 1, 1, 1), 3))


@pytest.mark.parametrize(("counted", "corner"), [(False, 4.0), (True, 1.0)])
def test_padding_counts_in_a_mean_only_where_it_is_said_to(counted, corner):
    x = np.full((1, 2, 2, 1), 4.0)
    y, _ = AvgPool2d(kernel=2, pad=1, count_include_pad=counted).forward({}, x, Context())
    assert y[0, 0, 0, 0] == corner  # one pixel and three of padding


@pytest.mark.parametrize("pool", [MaxPool2d(kernel=(2, 3)), AvgPool2d(kernel=(2, 3)), GlobalAvgPool2d()])
def test_windows_that_tile_pass_on_the_whole_gradient(pool):
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3))
    y, cache = pool.forward({}, x, Context())
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx, _ = pool.backward({}, cache, dy, Context())
    np.testing.assert_allclose(dx.sum(), dy.sum(), rtol=1e-13)


def test_the_stride_is_the_kernel_unless_it_is_given():
    assert MaxPool2d(kernel=(2, 3)).output_shape((8, 28, 28)) == (8, 14, 9)
    assert MaxPool2d(kernel=(2, 3), stride=1).output_shape((8, 28, 28)) == (8, 27, 26)


@pytest.mark.parametrize("pool", [MaxPool2d, AvgPool2d])
def test_padding_as_large_as_the_kernel_is_refused(pool):
    with pytest.raises(ValidationError, match=r"pad \[0, 2\] must be smaller than kernel \[3, 2\]"):
        pool(kernel=(3, 2), pad=(0, 2))


def test_a_window_that_does_not_fit_is_told_with_the_arithmetic():
    with pytest.raises(ShapeError) as raised:
        MaxPool2d(name="pool3", kernel=4).output_shape((32, 3, 3))
    assert str(raised.value) == (
        'maxpool2d "pool3": kernel 4×4 stride 4 does not fit its input 32×3×3 (⌊(3−4)/4⌋+1 = 0)'
    )


@pytest.mark.parametrize("pool", [MaxPool2d(kernel=2), AvgPool2d(kernel=2), GlobalAvgPool2d()])
def test_a_flat_input_is_refused(pool):
    with pytest.raises(ShapeError, match="needs feature maps"):
        pool.output_shape((12,))
