import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.gradcheck.claims import LARGEST_STACK, LayerClaim
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.endtoend import network_case
from cnnbp.gradcheck.layerwise import layer_cases
from cnnbp.layers import Conv2d, Dense, Flatten
from cnnbp.network import Network
from tests.gradcheck.points import SMOOTH, point


@pytest.fixture(scope="module")
def claims():
    return {claim.name: claim for claim in network_case(point(SMOOTH)).claims}


@pytest.mark.parametrize("name", ["conv2d1.W", "dense1.W", "dense1.b", "X"])
def test_differences_of_the_parts_are_near_what_is_claimed(claims, name):
    claim, h = claims[name], 1e-5
    entries = np.array([0, claim.theta.size // 2, claim.theta.size - 1])
    parts, crossed = claim.parts(entries, np.tile([h, -h], (3, 1)), follow_branches, Arena())
    slopes = (parts[:, :, 0] - parts[:, :, 1]).sum(axis=(0, 2)) / (2 * h)
    np.testing.assert_allclose(slopes, claim.gradient.reshape(-1)[entries], rtol=1e-6, atol=1e-9)
    assert not crossed.any()


def test_along_a_step_the_whole_tensor_moves(claims):
    claim, h = claims["conv2d1.W"], 1e-5
    direction = np.random.default_rng(0).normal(size=claim.theta.shape)
    above, below = (claim.parts_along(shift * direction, follow_branches, Arena()) for shift in (h, -h))
    assert (above - below).sum() / (2 * h) == pytest.approx((claim.gradient * direction).sum(), rel=1e-6)


def test_what_reaches_less_of_the_network_is_less_work_and_is_stacked_higher(claims):
    assert claims["dense1.W"].work < claims["conv2d1.W"].work
    assert claims["conv2d1.W"].copies <= claims["dense1.W"].copies <= LARGEST_STACK


def test_a_wide_network_is_stacked_in_few_copies_and_never_in_fewer_than_four():
    wide = network_case(point((Conv2d(filters=40, kernel=1), Flatten(), Dense(units=2)), shape=(1, 100, 110)))
    assert [claim.copies for claim in wide.claims if claim.name == "conv2d1.W"] == [4]


def test_only_behind_a_linear_end_a_claim_may_be_affine(claims):
    [node] = Network((3,), [Dense(units=2)]).nodes
    params = {"W": np.ones((2, 3)), "b": np.zeros(2)}
    alone = [claim for case in layer_cases(node, params, {}, 0) for claim in case.claims]
    assert all(claim.may_be_affine for claim in alone)
    assert not any(claim.may_be_affine for claim in claims.values())


def test_a_claim_without_an_amplification_allows_for_no_rounding(claims):
    known = claims["dense1.W"]
    strict = LayerClaim(known.argument, known.gradient, amplification=None)
    assert (known.rounding > 0).all()
    assert known.forward_rounding > 0
    assert not strict.rounding.any()
    assert strict.rounding.shape == known.theta.shape
    assert strict.forward_rounding == 0
    assert strict.closer().amplification is None
