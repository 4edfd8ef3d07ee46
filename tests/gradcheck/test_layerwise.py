import numpy as np

from cnnbp.gradcheck.layerwise import layer_cases
from cnnbp.layers import Conv2d, Dense, Flatten, ReLU
from cnnbp.network import Network


def test_a_single_unit_too_is_checked_at_zero():
    [_, relu, _] = Network((3,), [Dense(units=1), ReLU(), Dense(units=2)]).nodes
    for seed in range(20):
        _, integers = layer_cases(relu, {}, {}, seed)
        assert (integers.claims[0].theta == 0).any()
        assert np.unique(integers.claims[0].theta).tolist() == [-2, -1, 0, 1, 2]


def test_a_stride_beyond_the_map_asks_for_no_larger_one():
    network = Network((1, 8, 8), [Conv2d(filters=2, kernel=3, stride=10**11), Flatten(), Dense(units=2)])
    params = {"W": np.ones((2, 1, 3, 3)), "b": np.ones(2)}
    for case in layer_cases(network.nodes[0], params, {}, 0):
        assert case.problems == ()
        assert case.claims[-1].theta.shape[1:3] == (8, 8)
