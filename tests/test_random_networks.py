from itertools import chain

import numpy as np

from cnnbp.layers import LAYERS, Add
from cnnbp.losses import LOSSES
from tests.random_networks import random_network

DRAWN = [random_network(seed) for seed in range(200)]
NODES = list(chain.from_iterable(drawn.network.nodes for drawn in DRAWN))


def test_a_seed_gives_the_same_network_parameters_and_batch():
    first, again = random_network(7), random_network(7)
    assert str(first) == str(again)
    np.testing.assert_array_equal(first.params.vector, again.params.vector)
    np.testing.assert_array_equal(first.x, again.x)


def test_two_hundred_networks_hold_every_layer_and_every_loss():
    assert {type(node.layer) for node in NODES} == {*LAYERS, Add}
    assert {type(drawn.loss) for drawn in DRAWN} == {*LOSSES}


def test_two_hundred_networks_give_every_option_several_values():
    for layer in LAYERS:
        for option in layer.model_fields.keys() - {"name", "init"}:  # init only says how W is drawn
            values = {getattr(node.layer, option) for node in NODES if isinstance(node.layer, layer)}
            assert len(values) > 1, f"{layer.type}: {option} is always {values}"


def test_two_hundred_networks_read_values_twice_with_and_without_a_shortcut():
    adds = [node for node in NODES if isinstance(node.layer, Add)]
    gaps = {node.inputs[0] - node.inputs[1] for node in adds}
    assert min(gaps) == -1  # a shortcut of one layer stands right behind the block
    assert max(gaps) > 1  # x itself stands before the block
