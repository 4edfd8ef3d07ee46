import numpy as np
import pytest

from cnnbp.gradcheck import check_layer
from cnnbp.layers import Conv2d, Dense, Layer
from cnnbp.layers.base import ParameterSpec
from tests.samples import first_and_last, label

SHAPE = (3, 4, 5)


class Square(Layer):
    """y = x², whose backward is wrong where `wrong(x, dy, ctx)` says so."""

    type = "square"

    def forward(self, params, x, ctx):
        return x * x, x

    def backward(self, params, x, dy, ctx):
        return 2 * x * dy * np.where(self.wrong(x, dy, ctx), 1.5, 1).astype(dy.dtype), {}

    def wrong(self, x, dy, ctx):
        return False


def wrong_where(condition):
    return type("Wrong", (Square,), {"wrong": lambda self, x, dy, ctx: condition(x, dy, ctx)})()


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (lambda x, dy, ctx: ctx.may_overwrite, "with ctx.may_overwrite dx is another one"),
        (lambda x, dy, ctx: dy.dtype == np.float32, "in float32 dx is another one"),
        (lambda x, dy, ctx: not ctx.training, "outside of training dx: 1.5 times what it should be"),
        (lambda x, dy, ctx: x.shape[-1] == 1, "for a single image dx: 1.5 times what it should be"),
        (lambda x, dy, ctx: np.abs(x) > 6, "for large inputs dx is wrong"),
        (lambda x, dy, ctx: x.shape[1] == x.shape[2], None),
    ],
)
def test_what_is_wrong_in_one_way_of_calling_a_layer_alone_is_found(condition, said):
    report = check_layer(wrong_where(condition), SHAPE)
    if said is None:  # wrong only for square maps
        report.raise_if_wrong()
        assert check_layer(wrong_where(condition), (3, 6, 6)).verdict == "fail"
    else:
        assert report.verdict == "fail"
        assert report.hint.startswith(f"square1: {said}")


class WithoutDx(Layer):
    """y = w·x; what it gives a first layer is wrong."""

    type = "scale"

    def parameters(self, input_shape):
        return {"w": ParameterSpec((input_shape[0],), fill=1.0)}

    def forward(self, params, x, ctx):
        return x * params["w"][:, None, None, None], x

    def backward(self, params, x, dy, ctx):
        dx = dy * params["w"][:, None, None, None] if ctx.wants_dx else None
        return dx, {"w": (x * dy).sum(axis=(1, 2, 3)) * ctx.wants_dx}


def test_a_layer_whose_dx_is_not_wanted_must_give_the_same_gradients():
    assert check_layer(WithoutDx(), SHAPE).layers[0].problems == ("with ctx.wants_dx=False dw is another one",)


def test_what_a_layer_raises_in_another_way_of_calling_it_is_told():
    class Raising(Dense):
        def backward(self, params, cache, dy, ctx):
            if not ctx.wants_dx:
                raise RuntimeError("but I have it")
            return super().backward(params, cache, dy, ctx)

    [said] = check_layer(Raising(units=2), (3,)).layers[0].problems
    assert said == "with ctx.wants_dx=False it raises RuntimeError: but I have it"


class Overwriting(Square):
    """Computes in the memory of what it reads, asked or not."""

    def forward(self, params, x, ctx):
        kept = x.copy()
        return np.multiply(x, x, out=x), kept


def test_a_forward_that_overwrites_its_input_unasked_is_told():
    assert check_layer(Overwriting(), SHAPE).hint == "square1: forward changes x"


class FixedPool(Layer):
    """A 2×2 average pool that holds for even sides alone."""

    type = "fixed"

    def output_shape(self, shape):
        return shape[0], shape[1] // 2, shape[2] // 2

    def forward(self, params, x, ctx):
        C, H, W, M = x.shape
        return x.reshape(C, H // 2, 2, W // 2, 2, M).mean(axis=(2, 4)), x.shape

    def backward(self, params, shape, dy, ctx):
        return (dy / 4).repeat(2, axis=1).repeat(2, axis=2), {}


def test_a_layer_is_run_on_the_shape_that_was_asked_for():
    check_layer(FixedPool(), (3, 4, 6)).raise_if_wrong()


def test_large_maps_under_windows_are_cropped_and_this_is_said():
    report = check_layer(Conv2d(filters=2, kernel=3), (1, 60, 40))
    report.raise_if_wrong()
    assert report.notes == ("conv2d1 is checked on 1×8×8 instead of 1×60×40: more windows are like these",)


@pytest.mark.parametrize("way", first_and_last(), ids=label)
def test_every_layer_is_right_in_all_ways(way):
    check_layer(*way, entries=40).raise_if_wrong()
