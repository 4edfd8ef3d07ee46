"""Every bug of the catalogue is given a hint; this table says what a learner reads."""

import numpy as np
import pytest

from cnnbp.gradcheck import check_layer
from cnnbp.gradcheck.bugs import fitting_bugs, plant
from cnnbp.gradcheck.bugs.mistakes import on_dx
from cnnbp.gradcheck.bugs.planting import broken_layer
from cnnbp.gradcheck.diagnosis import layer_hint
from cnnbp.gradcheck.selftest import check_subject, networks
from cnnbp.layers import Conv2d, Flatten, MaxPool2d, Sigmoid
from tests.gradcheck.diagnosis.patterns import numbers, pattern

SUBJECTS = networks()
HINTS = {
    ("conv2d", "dX-unflipped"): "dx is right with W turned by 180°",
    ("conv2d", "dX-channels-swapped"): "dx is right with W transposed",
    ("conv2d", "dX-crop-off-by-one"): "dx lands where cropping one row or column too few or too many would put it",
    ("conv2d", "dX-overlap-overwritten"): "in dx one window's share overwrites another's",
    ("conv2d", "dX-stride-ignored"): "dx lands where stride 1 would put it",
    ("conv2d", "dX-dilation-ignored"): "dx lands where dilation 1 would put it",
    ("conv2d", "dX-last-row-skipped"): "send nothing back to x: a loop that ends too early",
    ("conv2d", "groups-mixed"): "outputs of group 0 send their dx to the channels of group 1",
    ("conv2d", "dW-flipped"): "dW: right when it is turned by 180°",
    ("conv2d", "dW-channels-averaged"): "dW: the same for every channel",
    ("conv2d", "db-spatial-mean"): "(H·W) of what it should be: a mean over all places",
    ("dense", "dW-extra-1/M"): "dW: 1/5 (M) of what it should be",
    ("dense", "dW-last-image"): "dW: the last image alone counts",
    ("dense", "dW-one-millionth"): "dW: 1.000001 times too large",
    ("dense", "dW-float32"): "dW: noise of 6e-8 of each number: it went through float32",
    ("dense", "db-averaged"): "db: 1/5 (M) of what it should be",
    ("dense", "db-zero"): "db: zero everywhere",
    ("dense", "db-doubled"): "db: 2 times too large: added twice",
    ("dense", "dX-stale-W"): "dx does not change with W",
    ("dense", "accumulates"): "something is kept between calls",
    ("dense", "cache-changed"): "backward changes its cache",
    ("dense", "dW-one-entry"): "dW: a single entry is wrong",
    ("dense", "dW-transposed"): "dW: right when units and features are exchanged",
    ("dense", "dX-untransposed"): "dx is right with W transposed",
    ("relu", "passes-zero"): "dx is wrong only where x is exactly 0",
    ("relu", "mask-of-output"): "left of 0 the slope is 1, it should be 0",
    ("relu", "mask-of-gradient"): "dx is not linear in dy: a mask is taken from the upstream gradient",
    ("relu", "guided"): "dx is not linear in dy: a mask is taken from the upstream gradient",
    ("leaky_relu", "slope-0"): "left of 0 the slope is 0, it should be 0.2",
    ("leaky_relu", "slope-hard-coded"): "left of 0 the slope is 0.01, it should be 0.2",
    ("leaky_relu", "branches-swapped"): "the slopes left and right of 0 are exchanged",
    ("elu", "alpha-forgotten"): "dx/dy is y + 1 on the left: α is missing",
    ("elu", "slope-is-y"): "dx/dy is y on the left: + α is missing",
    ("gelu", "inner-derivative"): "the inner derivative is missing",
    ("gelu", "no-derivative"): "dx/dy is 1: the derivative is left out",
    ("silu", "product-rule"): "the product rule has a second term",
    ("sigmoid", "of-z"): "dx/dy is z(1 − z): y is meant",
    ("sigmoid", "twice"): "σ is applied once too often",
    ("tanh", "of-z"): "dx/dy is 1 − z²: y is meant",
    ("tanh", "not-squared"): "dx/dy is 1 − y: the square is missing",
    ("maxpool2d", "all-ties"): "a window with tied maxima sends dx to each of them",
    ("maxpool2d", "last-maximum"): "of tied maxima another one than the first gets dx",
    ("maxpool2d", "argmax-swapped"): "dx goes to a place that is not the maximum",
    ("maxpool2d", "spread-to-all"): "a window sends dx to several places",
    ("maxpool2d", "overlap-overwritten"): "where windows share a place, one overwrites the other",
    ("avgpool2d", "not-divided"): "the 1/(kH·kW) of the average is missing",
    ("avgpool2d", "divided-by-k"): "divided by one side of the kernel instead of both",
    ("avgpool2d", "overlap-overwritten"): "in dx one window's share overwrites another's",
    ("global_avgpool2d", "not-divided"): "the 1/(H·W) of the average is missing",
    ("batchnorm", "no-mean-term"): "dx lacks the mean's term",
    ("batchnorm", "no-variance-term"): "dx lacks the variance's term",
    ("batchnorm", "ddof-1"): "the variance in dx is divided by n − 1",
    ("batchnorm", "eps-dropped"): "ε is missing",
    ("batchnorm", "dgamma-of-x"): "dgamma is Σ dy·x: x̂ is meant",
    ("batchnorm", "dX-without-gamma"): "dx does not change with γ",
    ("batchnorm", "dbeta-averaged"): "dbeta: 1/5 (M) of what it should be",
    ("batchnorm", "running-statistics"): "dx is dy times a constant per channel",
    ("groupnorm", "no-mean-term"): "dx lacks the mean's term",
    ("groupnorm", "no-variance-term"): "dx lacks the variance's term",
    ("groupnorm", "ddof-1"): "the variance in dx is divided by n − 1",
    ("groupnorm", "eps-dropped"): "ε is missing",
    ("groupnorm", "means-over-the-batch"): "dx of an image depends on dy of the others",
    ("groupnorm", "dgamma-of-x"): "dgamma is Σ dy·x: x̂ is meant",
    ("flatten", "column-major"): "dx: right when rows and columns are exchanged",
    ("dropout", "unscaled"): "1/(1 − p) is missing",
    ("dropout", "no-mask"): "dx flows where forward dropped, too",
    ("dropout", "new-mask"): "dx is dropped at other places than forward dropped",
    ("add", "one-side-only"): "dx2: zero everywhere",
    ("cross_entropy", "no-1/M"): "dlogits: 5 (M) times too large: the 1/M of the mean is missing",
    ("cross_entropy", "extra-1/K"): "divided by the number of outputs, too",
    ("cross_entropy", "sign"): "the sign is turned round",
    ("cross_entropy", "label-0"): "every image is taken for class 0",
    ("cross_entropy", "argmax-label"): "the predicted class stands for the true one",
    ("cross_entropy", "diagonal-jacobian"): "softmax is differentiated logit by logit",
    ("cross_entropy", "weights-forgotten"): "the class weights are missing",
    ("cross_entropy", "smoothing-forgotten"): "label smoothing is missing",
    ("binary_cross_entropy", "sigma-again"): "σ′ = y(1 − y) is multiplied in once more",
    ("mean_squared_error", "no-factor-2"): "a factor 2 is missing",
}


def planted():
    """Return where each bug of the table shows first."""
    places = {}
    for name, subject in SUBJECTS.items():
        for fit in fitting_bugs(*subject):
            places.setdefault((fit.type, fit.bug), (name, fit))
    return places


PLACES = planted()


@pytest.mark.parametrize(("kind", "hint"), HINTS.items(), ids=str)
def test_a_bug_is_given_the_hint_that_tells_it(kind, hint):
    name, fit = PLACES[kind]
    report = check_subject(*plant(*SUBJECTS[name], fit.spelling))
    assert report.hint.startswith(f"{fit.layer}: ")
    assert hint in report.hint


def test_the_table_of_hints_holds_every_bug():
    known = {bug for _, bug in HINTS}
    assert {bug for _, bug in PLACES} == known


def test_a_layers_hint_says_which_of_its_gradients_are_right():
    right, wrong = pattern([1.0, 2], [1.0, 2]), pattern([2.0, 4], [1.0, 2])
    assert layer_hint(None, {"dW": wrong, "db": right, "dx": right}) == (
        "dW: 2 times too large: added twice; db and dx are right"
    )
    assert layer_hint(None, {"dW": right}) is None
    assert layer_hint(None, {"dW": wrong, "db": wrong, "dx": right}) == (
        "dW and db: 2 times too large: added twice; dx is right"
    )
    chaos = pattern(numbers(7), numbers(7, seed=1))
    assert layer_hint(None, {"dW": wrong, "db": chaos}) == "dW: 2 times too large: added twice; db is wrong"
    assert layer_hint(None, {"dW": chaos, "dx": right}) == "dW is wrong; dx is right"
    assert "what they share is dy" in layer_hint(None, {"dW": chaos, "dx": chaos})


def test_a_mistake_on_the_way_is_between_the_last_wrong_gradient_and_the_first_right_one():
    right, chaos = pattern([1.0, 2], [1.0, 2]), pattern(numbers(7), numbers(7, seed=1))
    said = layer_hint(None, {"dx": chaos, "dw1": chaos, "dw2": chaos, "dg2": right, "db2": right})
    assert said.endswith("dg2 and db2 are right; what lies between dw2 and dg2 hands on a wrong gradient")
    assert "between" not in layer_hint(None, {"dx": chaos, "dw1": right, "dw2": chaos, "dg2": right})


class Two(Conv2d):
    """Three mistakes at once."""

    def backward(self, params, cache, dy, ctx):
        _, gradients = super().backward(params, cache, dy, ctx)
        dx, _ = super().backward({**params, "W": params["W"][..., ::-1, ::-1].copy()}, cache, dy, ctx)
        return dx, {"W": gradients["W"] / dy.shape[-1], "b": 2 * gradients["b"]}


def test_each_wrong_gradient_has_a_hint_of_its_own():
    hint = check_layer(Two(filters=2, kernel=3), (2, 5, 4)).hint
    for said in ("dW: 1/5 (M) of what it should be", "db: 2 times too large", "dx is right with W turned by 180°"):
        assert said in hint


def test_a_single_wrong_entry_that_the_sample_missed_is_found():
    report = check_subject(*plant(*SUBJECTS["windows"], "dense1:dW-one-entry"))
    size = report.layers[-2].tensors[0].finding.claim.theta.size
    index = list(np.unravel_index(size // 2, report.layers[-2].tensors[0].shape))
    assert report.hint == f"dense1: dW: a single entry is wrong: {[int(i) for i in index]}; db and dx are right"
    [whole] = (tensor for tensor in report.tensors if tensor.name == "dense1.W")
    assert "at entries that the sample missed" in whole.hint  # end to end


STRANGE = [(Sigmoid(), (4,)), (Flatten(), (2, 3, 2)), (MaxPool2d(kernel=2), (1, 4, 4))]


@pytest.mark.parametrize(("layer", "shape"), STRANGE, ids=lambda value: getattr(value, "type", ""))
def test_a_mistake_that_is_like_no_other_gets_no_hint(layer, shape):
    wrong = broken_layer(layer, on_dx(lambda step, dx: dx * (1 + np.cos(7 * step.x))))
    report = check_layer(wrong, shape)
    assert (report.verdict, report.hint) == ("fail", None)
