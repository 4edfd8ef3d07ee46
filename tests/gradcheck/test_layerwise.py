import numpy as np

from cnnbp.gradcheck.layerwise import layer_cases
from cnnbp.layers import Dense, ReLU
from cnnbp.network import Network


def test_a_single_unit_too_is_checked_at_zero():
    [_, relu, _] = Network((3,), [Dense(units=1), ReLU(), Dense(units=2)]).nodes
    for seed in range(20):
        _, integers = layer_cases(relu, {}, {}, seed)
        assert (integers.claims[0].theta == 0).any()
        assert np.unique(integers.claims[0].theta).tolist() == [-2, -1, 0, 1, 2]
