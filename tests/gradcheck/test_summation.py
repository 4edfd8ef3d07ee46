import numpy as np
import pytest

from cnnbp.gradcheck.endtoend import network_case
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.summation import broken_sums
from cnnbp.layers import Dense, ReLU
from tests.gradcheck.points import NORMALISED, PLAIN, SMOOTH, point
from tests.gradcheck.soak import integers, scaled_weights
from tests.random_networks import random_network


def broken(here):
    return list(broken_sums(here, network_case(here).claims, lambda at: network_case(at).claims))


@pytest.mark.parametrize("layers", [PLAIN, SMOOTH, NORMALISED])
def test_the_gradients_of_the_images_sum_to_that_of_the_batch(layers):
    assert broken(point(layers)) == []


@pytest.mark.parametrize(
    ("condition", "seed"),
    [(integers, 204097), (scaled_weights, 201443)],
    ids=["a tie that falls to the other side", "fewer digits without dropout"],
)
def test_rounding_of_other_products_is_no_other_sum(condition, seed):
    drawn = condition(random_network(seed), np.random.default_rng([seed, 1]))
    assert broken(Point(drawn.network, drawn.loss, drawn.params, drawn.state, drawn.x, drawn.labels)) == []


class Averaging(Dense):
    """A dense layer that takes a mean over the images, again."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx, {**gradients, "W": gradients["W"] / dy.shape[-1]}


def test_a_second_1_over_m_is_noticed():
    [said] = broken(point((*PLAIN[:-1], Averaging(units=3))))
    assert said.startswith("dense1.W: ")


class Overwriting(ReLU):
    """A ReLU that spoils what it may not overwrite, but only where training lets it work in place."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return (np.multiply(dx, 2, out=dx) if ctx.may_overwrite else dx), gradients


def test_a_mistake_that_only_shows_in_the_pass_that_trains_is_noticed():
    layers = (PLAIN[0], Overwriting(), *PLAIN[2:])
    assert {said.partition(":")[0] for said in broken(point(layers))} == {"conv2d1.W", "conv2d1.b"}
