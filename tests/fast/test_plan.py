from itertools import chain

import numpy as np
import pytest

from cnnbp.fast import as_written, plan_for
from cnnbp.layers import BatchNorm, Conv2d, Dropout, Flatten, LeakyReLU, MaxPool2d, ReLU, Residual, Sigmoid, Tanh
from cnnbp.network import Network
from tests.random_networks import random_network

CONV, RELU, POOL = Conv2d(filters=4, kernel=3, pad=1), ReLU(), MaxPool2d(kernel=2)
WIDE = Conv2d(filters=16, kernel=3, pad=1)
FLOAT32 = np.dtype(np.float32)


def plan(*layers, M=8, shape=(4, 16, 16), dtype=FLOAT32):
    return plan_for(Network(shape, layers), M, np.dtype(dtype))


def together(made):
    """Return which nodes are done at once."""
    return [[node.index for node in operation.nodes] for operation in made.operations]


def strips(made):
    """Return how many strips each convolution takes and gives."""
    return [(op.takes, op.gives) for op in made.operations if type(op.nodes[0].layer) is Conv2d]


def test_every_node_is_done_once_and_in_order_whatever_the_network():
    for seed in range(50):
        network = random_network(seed).network
        for made in (plan_for(network, 4, FLOAT32), as_written(network)):
            assert [*chain.from_iterable(together(made))] == list(range(len(network.nodes)))
            assert [op.is_coupled for op in made.operations if op.is_coupled] == [True] * (len(made.segments) - 1)
            assert all(segment[0].is_coupled for segment in made.segments[1:])


def test_a_convolution_is_done_with_its_relus_and_its_pool():
    assert together(plan(CONV, POOL)) == [[0, 1]]
    assert together(plan(CONV, RELU, POOL, RELU, LeakyReLU())) == [[0, 1, 2, 3], [4]]
    assert together(plan(CONV, LeakyReLU(), POOL)) == [[0], [1], [2]]


def test_a_relu_before_any_other_pool_is_done_behind_that():
    assert together(plan(BatchNorm(), RELU, POOL)) == [[0], [1, 2]]
    assert together(plan(CONV, RELU, MaxPool2d(kernel=3))) == [[0], [1, 2]]
    assert together(plan(CONV, POOL, RELU, POOL)) == [[0, 1], [2, 3]]


def test_the_kernels_follow_from_the_shapes():
    many = Conv2d(filters=40, kernel=3, pad=1)
    assert plan(many, POOL, M=4).operations[0].kernel == "quarters, pools"
    assert plan(many, POOL, M=64).operations[0].kernel == "rows, pools"
    assert plan(LeakyReLU(), many, POOL, M=4).operations[1].kernel == "rows, pools"
    assert plan(CONV).operations[0].kernel == "rows"
    assert plan(Conv2d(filters=4, kernel=3, stride=2)).operations[0].kernel == "columns"


def test_what_another_node_reads_as_well_is_done_alone():
    assert together(plan(RELU, Residual(layers=[MaxPool2d(kernel=1)]), POOL)) == [[0], [1], [2], [3]]
    assert together(plan(CONV, Residual(layers=[RELU]), POOL)) == [[0], [1], [2], [3]]


def test_a_layer_of_a_class_of_its_own_is_done_as_it_is_written():
    class Twice(ReLU):
        pass

    network = Network((4, 16, 16), [CONV, RELU, POOL])
    assert together(plan_for(network, 8, FLOAT32)) == [[0, 1, 2]]
    twin = network.with_layer(1, Twice(name=network.nodes[1].name))
    made = plan_for(twin, 8, FLOAT32)
    assert together(made) == [[0], [1], [2]]
    assert (made.operations[1].layer, made.operations[1].kernel) == (twin.nodes[1].layer, None)


def test_as_written_each_node_is_done_by_its_own_layer():
    network = Network((4, 16, 16), [CONV, RELU, POOL])
    assert [op.layer for op in as_written(network).operations] == [node.layer for node in network.nodes]


def test_between_two_convolutions_that_work_in_strips_the_feature_maps_stay_in_strips():
    made = plan(WIDE, RELU, WIDE, RELU, POOL, WIDE, LeakyReLU(), WIDE, M=32)  # the first has four channels
    assert [op.kernel for op in made.operations] == ["rows", "winograd, pools", "winograd", None, "winograd"]
    assert strips(made) == [(0, 0), (0, 1), (1, 0), (0, 0)]


def test_a_first_convolution_in_quarters_gives_as_many_strips_as_the_next_one_reads():
    made = plan(WIDE, POOL, RELU, WIDE, shape=(1, 16, 16))
    assert [op.kernel for op in made.operations] == ["quarters, pools", "winograd"]
    assert strips(made) == [(0, 2), (2, 0)]
    made = plan(WIDE, POOL, LeakyReLU(), WIDE, shape=(1, 16, 16))
    assert strips(made) == [(0, 0), (0, 0)]


def test_what_another_node_reads_as_well_is_not_left_in_strips():
    made = plan(WIDE, WIDE, Residual(layers=[WIDE]), shape=(16, 16, 16))
    assert strips(made) == [(0, 4), (4, 0), (0, 0)]


def test_float64_has_a_plan_of_its_own_without_strips():
    assert plan(WIDE, shape=(16, 16, 16)).operations[0].kernel == "winograd"
    assert plan(WIDE, shape=(16, 16, 16), dtype=np.float64).operations[0].kernel == "rows"


def test_another_number_of_strips_needs_another_cut():
    made = plan(WIDE, POOL, WIDE, shape=(16, 20, 20))  # four strips of 5 columns, two of 5
    assert strips(made) == [(0, 0), (0, 0)]


CONV1, NORM, DROP = Conv2d(filters=4, kernel=1), BatchNorm(), Dropout()


@pytest.mark.parametrize(
    ("layers", "reusable"),
    [
        ([CONV1, Tanh(), NORM], {0}),  # over a convolution's output, not over tanh's
        ([RELU, NORM], set()),  # whose replacement reads its output
        ([Flatten(), NORM, NORM], {1}),  # a view of the images is the images
        ([CONV1, Flatten(), NORM], {0, 1}),  # a view of a value that may go may go
        ([Sigmoid(), Flatten(), NORM], set()),  # and of one that may not, not
        ([CONV1, Residual(layers=[NORM]), NORM], {1, 2}),  # what is read twice stays
        ([CONV1, DROP, DROP, NORM], {0, 1, 2}),  # a view after training
    ],
    ids=["conv", "caches", "view of images", "view of conv", "view of a cache", "read twice", "dropout"],
)
def test_only_values_that_nobody_needs_again_may_be_overwritten(layers, reusable):
    assert plan(*layers).reusable == reusable
