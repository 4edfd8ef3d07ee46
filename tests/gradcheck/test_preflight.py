import numpy as np
import pytest

from cnnbp.gradcheck.endtoend import examined_network_case
from cnnbp.gradcheck.preflight import observe
from cnnbp.layers import Context, Dense, LeakyReLU
from cnnbp.losses import CrossEntropy
from tests.gradcheck.points import NORMALISED, PLAIN, point

RNG = np.random.default_rng(0)
PARAMS = {"W": RNG.normal(size=(2, 3)), "b": np.zeros(2)}


def problems(layer, params=PARAMS):
    features, units = (3, 2) if params else (2, 2)
    x, dy = RNG.normal(size=(features, 5)), RNG.normal(size=(units, 5))
    return observe(layer, params, (x,), dy, Context(training=True)).problems


class Spoiling(Dense):
    """Does something to what it was given."""

    what: str

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        {"W": params["W"], "x": cache, "dy": dy}[self.what][0] += 1
        return dx, gradients


class Remembering(Dense):
    """Adds up its gradients from call to call."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        _SUM["W"] = _SUM.get("W", 0) + gradients["W"]
        return dx, {**gradients, "W": _SUM["W"].copy()}


_SUM = {}


class Misfitting(Dense):
    """Gives gradients of a wrong form."""

    how: str

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        match self.how:
            case "transposed":
                return dx, {**gradients, "W": gradients["W"].T}
            case "float32":
                return dx.astype(np.float32), gradients
            case "nan":
                return dx * np.nan, gradients
        return dx, {"W": gradients["W"]}


def test_a_layer_as_it_should_be_has_no_problems():
    assert problems(Dense(units=2)) == ()


@pytest.mark.parametrize(("what", "said"), [("W", "its parameters"), ("x", "its input"), ("dy", "∂L/∂y")])
def test_a_backward_that_changes_what_it_was_given_is_noticed(what, said):
    assert f"backward changes {said}" in problems(Spoiling(units=2, what=what))


def test_a_backward_that_remembers_is_noticed():
    assert "a second backward gives other gradients: something is kept between calls" in problems(Remembering(units=2))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("transposed", "dW has shape 3×2, it should be 2×3"),
        ("float32", "dx is float32 where everything else is float64"),
        ("nan", "dx has NaN or Inf"),
        ("missing", "backward gives no db"),
    ],
)
def test_a_gradient_of_a_wrong_form_is_noticed(how, said):
    assert problems(Misfitting(units=2, how=how)) == (said,)


class OtherBranches(LeakyReLU):
    """Claims pieces that it does not stand on."""

    def branches(self, params, cache, ctx):
        return ~cache


def test_branches_that_are_not_those_of_forward_are_noticed():
    assert problems(OtherBranches(), {}) == ("forward_on its own branches differs from forward",)


@pytest.mark.parametrize("layers", [PLAIN, NORMALISED])
def test_a_correct_network_has_no_problems(layers):
    assert examined_network_case(point(layers)).problems == ()


class SharingCrossEntropy(CrossEntropy):
    """Hands the same array out in every call, and scales it in place."""

    def backward(self, cache, batch_size):
        cache[0][...] -= 0.1
        return super().backward(cache, batch_size)


def test_a_loss_that_changes_its_cache_is_noticed():
    said = examined_network_case(point(PLAIN, loss=SharingCrossEntropy())).problems
    assert "backward changes the logits, the labels or its cache" in said


def test_a_loss_without_a_gradient_is_said_so():
    here = point(PLAIN)
    here.params["dense1"]["b"][0] = np.inf
    with np.errstate(invalid="ignore"):
        assert "the loss is NaN or Inf here: there is no gradient" in examined_network_case(here).problems
