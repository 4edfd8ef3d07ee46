import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cnnbp.arrays import Shape
from cnnbp.layers import Conv2d, Window
from cnnbp.layers.windows import Pad, Size, col2im, im2col, output_size, resolve_padding

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def windows_over_images(draw: st.DrawFn) -> tuple[Window, Shape]:
    """Draw a window and the shape (C, H, W, M) of images that it fits."""
    before_and_after = st.tuples(st.integers(0, 2), st.integers(0, 2))
    window = Window(draw(pairs), draw(pairs), (draw(before_and_after), draw(before_and_after)), draw(pairs))
    reach = (d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True))
    H, W = (r + draw(st.integers(0, 4)) for r in reach)
    return window, (draw(st.integers(1, 3)), H, W, draw(st.integers(1, 3)))


@given(windows_over_images(), st.integers(0, 2**32))
def test_col2im_is_the_adjoint_of_im2col(window_and_shape, seed):
    """⟨im2col(x), g⟩ = ⟨x, col2im(g)⟩, exactly, on small integers."""
    (window, shape), rng = window_and_shape, np.random.default_rng(seed)
    x = rng.integers(-9, 10, shape).astype(float)
    cols = im2col(x, window)
    g = rng.integers(-9, 10, cols.shape).astype(float)
    assert (cols * g).sum() == (x * col2im(g, window, shape[:-1])).sum()


def test_im2col_writes_each_window_into_a_column():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    window = Window(kernel=(2, 2), stride=(1, 2), pad=((0, 0), (0, 0)))
    cols = im2col(x, window)
    assert cols.shape == (1, 4, 2, 2, 1)
    np.testing.assert_array_equal(cols[0, :, 0, 0, 0], [0, 1, 4, 5])
    np.testing.assert_array_equal(cols[0, :, 1, 1, 0], [6, 7, 10, 11])


def test_col2im_adds_where_windows_overlap_and_drops_what_fell_on_padding():
    window = Window(kernel=(1, 2), stride=(1, 1), pad=((0, 0), (1, 0)))
    cols = np.array([[1.0, 2, 3], [10, 20, 30]]).reshape(1, 2, 1, 3, 1)
    np.testing.assert_array_equal(col2im(cols, window, (1, 1, 3))[0, 0, :, 0], [12, 23, 30])


@given(n=st.integers(1, 30), k=st.integers(1, 7), s=st.integers(1, 5), d=st.integers(1, 3))
def test_same_padding_gives_the_input_size_over_the_stride_rounded_up(n, k, s, d):
    (before, after), _ = resolve_padding("same", (n, n), (k, k), (s, s), (d, d))
    assert before <= after <= before + 1  # the odd row stands at the bottom
    window = Window((k, k), (s, s), ((before, after),) * 2, (d, d))
    assert output_size(Conv2d(filters=1, kernel=1), (1, n, n), window) == (-(-n // s),) * 2


def test_padding_is_written_as_a_number_a_pair_same_or_valid():
    def resolved(pad: object) -> object:
        return resolve_padding(TypeAdapter(Pad).validate_python(pad), (5, 6), (4, 3), (1, 2), (1, 1))

    assert resolved(2) == ((2, 2), (2, 2))
    assert resolved([1, 0]) == ((1, 1), (0, 0))
    assert resolved("valid") == ((0, 0), (0, 0))
    assert resolved("same") == ((1, 2), (0, 1))


def test_a_size_is_written_as_a_number_or_height_and_width():
    size = TypeAdapter(Size)
    assert size.validate_python(3) == (3, 3)
    assert size.validate_python([3, 5]) == (3, 5)
    for nonsense in (0, -1, [3], [1, 2, 3], True, "3x3", [2, 0], 1.5):
        with pytest.raises(ValidationError):
            size.validate_python(nonsense)
