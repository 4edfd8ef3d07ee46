"""The catalogue as a whole: what it holds, where each bug fits, and how one is asked for."""

from collections import Counter

import numpy as np
import pytest

from cnnbp.errors import ConfigError
from cnnbp.gradcheck.bugs import LAYER_BUGS, LOSS_BUGS, fitting_bugs, plant
from cnnbp.gradcheck.selftest import networks
from cnnbp.layers import LAYERS, Context, Conv2d, Dense, Flatten, LeakyReLU, MaxPool2d, ReLU
from cnnbp.losses import LOSSES, BinaryCrossEntropy, CrossEntropy
from cnnbp.network import Network

SUBJECTS = networks()
PLANTED = [(name, fit) for name, subject in SUBJECTS.items() for fit in fitting_bugs(*subject)]
M = 4


def lecture():
    layers = [Conv2d(name="conv1", filters=1, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)]
    return Network((1, 6, 6), layers), BinaryCrossEntropy()


def names(network, loss, layer):
    return {fit.bug for fit in fitting_bugs(network, loss) if fit.layer == layer}


def test_there_are_at_least_sixty_bugs_and_each_layer_and_loss_has_one():
    assert len(LAYER_BUGS) + len(LOSS_BUGS) >= 60
    for layer in LAYERS:
        assert any(layer in bug.layers for bug in LAYER_BUGS), layer
    for loss in LOSSES:
        assert any(loss in bug.losses for bug in LOSS_BUGS)


def test_no_two_bugs_of_a_layer_have_one_name():
    known = Counter((layer, bug.name) for bug in LAYER_BUGS for layer in bug.layers)
    known += Counter((loss, bug.name) for bug in LOSS_BUGS for loss in bug.losses)
    assert set(known.values()) == {1}


def test_every_bug_shows_in_one_of_the_networks_of_the_self_test():
    planted = {(fit.type, fit.bug) for _, fit in PLANTED}
    for bug in LAYER_BUGS:
        assert planted & {(layer.type, bug.name) for layer in bug.layers}, bug.name
    for bug in LOSS_BUGS:
        assert planted & {(loss.type, bug.name) for loss in bug.losses}, bug.name


def gradients(node, upstream):
    """Run a node's layer forward and back on noise; return y, and every gradient by name."""
    rng = np.random.default_rng(0)
    xs = tuple(rng.integers(-2, 3, (*shape, M)) + 0.25 * rng.normal(size=(*shape, M)) for shape in node.input_shapes)
    params = {name: rng.normal(0.5, 1, spec.shape) for name, spec in node.parameter_specs.items()}
    state = node.layer.state(node.input_shapes[0])
    ctx = Context(training=True, state=state, stream=(1, 2, 3, 4))
    y, cache = node.layer.forward(params, xs[0] if len(xs) == 1 else xs, ctx)
    dx, of_parameters = node.layer.backward(params, cache, upstream, ctx)
    dxs = {"X": dx} if len(xs) == 1 else dict(zip(("X", "X2"), dx, strict=True))
    return y, dxs | of_parameters


SEEN_ONLY_ELSEWHERE = {"passes-zero", "all-ties", "last-maximum", "dX-stale-W", "accumulates", "cache-changed"}


@pytest.mark.parametrize(("name", "fit"), PLANTED, ids=lambda value: getattr(value, "spelling", value))
def test_a_bug_leaves_forward_alone_and_spoils_the_gradient_that_it_is_named_after(name, fit):
    network, loss = SUBJECTS[name]
    broken_network, broken_loss = plant(network, loss, fit.spelling)
    if fit.layer == "loss":
        assert_only_the_gradient_differs(loss, broken_loss, network.output_shape[0])
        return
    assert broken_loss is loss
    [node] = (node for node in network.nodes if node.name == fit.layer)
    upstream = np.random.default_rng(1).normal(size=(*node.output_shape, M))
    y, right = gradients(node, upstream)
    broken_y, wrong = gradients(broken_network.nodes[node.index], upstream)
    np.testing.assert_array_equal(broken_y, y)
    changed = {tensor for tensor in right if not np.array_equal(right[tensor], wrong[tensor])}
    assert {tensor: array.shape for tensor, array in wrong.items()} == {t: a.shape for t, a in right.items()}
    if fit.bug not in SEEN_ONLY_ELSEWHERE:
        assert changed
    if fit.bug.startswith("d") and "-" in fit.bug and fit.bug not in SEEN_ONLY_ELSEWHERE:
        target = fit.bug.partition("-")[0].removeprefix("d")
        assert changed == ({target} if target in right else changed)


def assert_only_the_gradient_differs(loss, broken, outputs):
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(outputs, M)), np.arange(M) % max(outputs, 2)
    losses, cache = loss.forward(logits, labels)
    broken_losses, broken_cache = broken.forward(logits, labels)
    np.testing.assert_array_equal(broken_losses, losses)
    assert not np.allclose(broken.backward(broken_cache, M), loss.backward(cache, M), rtol=1e-9)


def test_bugs_that_would_not_show_are_not_offered():
    network, loss = lecture()
    assert names(network, loss, "conv1").isdisjoint({"dX-stride-ignored", "dX-crop-off-by-one", "groups-mixed"})
    assert "overlap-overwritten" not in names(network, loss, "maxpool2d1")
    assert "dW-transposed" not in names(network, loss, "dense1")  # one row: transposed it is the same numbers
    flat = Network((1, 3, 3), [Conv2d(filters=2, kernel=3), LeakyReLU(slope=0), Flatten(), Dense(units=2)])
    assert "db-spatial-mean" not in names(flat, CrossEntropy(), "conv1")  # one place: the mean is the sum
    assert "slope-0" not in names(flat, CrossEntropy(), "leaky_relu1")
    padded = Network((1, 3, 3), [Conv2d(filters=2, kernel=1, pad=1), Flatten(), Dense(units=2)])
    assert "dX-last-row-skipped" not in names(padded, CrossEntropy(), "conv2d1")  # that row sees nothing but padding
    dilated = Network((1, 4, 3), [Conv2d(filters=2, kernel=2, pad=1, dilation=3), Flatten(), Dense(units=2)])
    assert "dX-last-row-skipped" in names(dilated, CrossEntropy(), "conv2d1")  # it sees one row of the image
    assert "weights-forgotten" not in names(flat, CrossEntropy(), "loss")
    assert "weights-forgotten" in names(flat, CrossEntropy(class_weights=(1.0, 2.0)), "loss")


@pytest.mark.parametrize(
    ("spelling", "hint"),
    [
        ("conv1:dX-unfliped", 'did you mean "dX-unflipped"?'),
        ("conv:dX-unflipped", 'did you mean "conv1"?'),
        ("dX-unflipped", "write LAYER:BUG, as conv1:dX-unflipped"),
        ("conv1:dX-stride-ignored", "dX-stride-ignored does not show in conv1; these do: dX-unflipped,"),
        ("loss:diagonal-jacobian", "does not show in loss; these do: no-1/M, sign,"),
        ("", "write LAYER:BUG"),
        ("conv1:", "known: dX-unflipped"),
    ],
)
def test_a_spelling_that_names_no_bug_is_refused_with_what_would_do(spelling, hint):
    with pytest.raises(ConfigError) as caught:
        plant(*lecture(), spelling)
    assert hint in str(caught.value)


def test_planting_leaves_the_network_as_it_was():
    network, loss = lecture()
    before = [node.layer for node in network.nodes]
    broken, _ = plant(network, loss, "conv1:dX-unflipped")
    assert [node.layer for node in network.nodes] == before
    assert [a is b for a, b in zip(before, (node.layer for node in broken.nodes), strict=True)].count(False) == 1
