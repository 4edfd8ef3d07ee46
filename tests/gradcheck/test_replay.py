import numpy as np
import pytest

from cnnbp.gradcheck.endtoend import as_computation
from cnnbp.gradcheck.replay import replay
from cnnbp.network import INPUT
from tests.gradcheck.points import NORMALISED, PLAIN, SMOOTH, point


@pytest.mark.parametrize("layers", [PLAIN, SMOOTH, NORMALISED])
def test_undisturbed_it_finds_the_gradients_that_backward_finds(layers):
    here = point(layers)
    tape, logits = here.forward()
    _, cache = here.loss.forward(logits, here.labels)
    gradient = here.backward(tape, here.loss.backward(cache, len(here.labels)))
    found = replay(as_computation(here, tape), dict(enumerate(tape.caches)))
    for name, array in gradient.named():
        np.testing.assert_array_equal(found.parameters[name], array)
    np.testing.assert_array_equal(found.values[INPUT], tape.gradients[INPUT])


def test_it_stays_on_the_branches_that_it_is_given():
    here = point(PLAIN)
    tape, _ = here.forward()
    computation = as_computation(here, tape)
    [relu] = [node for node in here.network.nodes if node.layer.type == "relu"]
    dead = {**computation.branches, relu.index: np.zeros_like(computation.branches[relu.index])}
    held = type(computation)(**{**vars(computation), "branches": dead})
    caches = {**dict(enumerate(tape.caches)), relu.index: np.zeros_like(tape.caches[relu.index])}
    assert not replay(held, caches).parameters["conv2d1.W"].any()
