import numpy as np

from cnnbp.gradcheck.endtoend import examined_network_case
from cnnbp.layers import Dense, ReLU
from tests.gradcheck.points import PLAIN, point


def test_there_is_a_claim_for_every_parameter_and_for_the_images():
    claims = examined_network_case(point(PLAIN)).claims
    assert [claim.name for claim in claims] == ["conv2d1.W", "conv2d1.b", "dense1.W", "dense1.b", "X"]


class OverwritingDense(Dense):
    """Uses the memory of what it has read, though others read it too."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        cache[...] = dx
        return dx, gradients


def test_a_layer_that_spoils_anothers_value_is_named_with_it():
    said = examined_network_case(point((*PLAIN[:-1], OverwritingDense(units=3)))).problems
    assert "the network's backward changes the cache of dense1" in said
    assert "the network's backward changes the output of flatten1" in said


class AtZero(ReLU):
    """Takes the right side at 0."""

    def backward(self, params, cache, dy, ctx):
        return dy * (cache[0] >= 0), {}

    def forward(self, params, x, ctx):
        return np.maximum(x, 0), (x,)

    def branches(self, params, cache, ctx):
        return cache[0] >= 0


def test_another_convention_at_ties_is_noticed_though_backward_agrees_with_it():
    here = point((PLAIN[0], AtZero(), *PLAIN[2:]))
    here.x[...] = 0
    said = examined_network_case(here).problems
    assert "relu1: at 0 the left side counts: the branches must be x > 0" in said
