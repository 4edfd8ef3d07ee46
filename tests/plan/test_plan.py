import numpy as np

from cnnbp.layers import BatchNorm, Conv2d, LeakyReLU, MaxPool2d, ReLU, Residual
from cnnbp.network import Network
from cnnbp.plan import AS_WRITTEN, plan_for
from cnnbp.plan.pooled_conv import PooledConv2d
from cnnbp.plan.quartered_conv import QuarteredConv2d

CONV, RELU, POOL = Conv2d(filters=4, kernel=3, pad=1), ReLU(), MaxPool2d(kernel=2)


def plan(*layers, M=8):
    return plan_for(Network((4, 16, 16), layers), M, np.dtype(np.float32))


def test_a_pool_right_behind_a_convolution_or_behind_its_relu_is_done_with_it():
    for layers in ((CONV, POOL), (CONV, RELU, POOL)):
        made = plan(*layers)
        assert (set(made.convolutions), made.late, made.elsewhere) == ({0}, {}, {len(layers) - 1})


def test_a_first_convolution_is_done_in_quarters_where_it_fits_in_cache_and_any_other_as_usual():
    many = Conv2d(filters=40, kernel=3, pad=1)
    assert type(plan(many, POOL, M=4).convolutions[0]) is QuarteredConv2d
    assert type(plan(many, POOL, M=64).convolutions[0]) is PooledConv2d
    assert type(plan(ReLU(), many, POOL, M=4).convolutions[1]) is PooledConv2d


def test_any_other_relu_before_a_pool_is_done_behind_it():
    made = plan(BatchNorm(), RELU, POOL)
    assert (made.convolutions, [relu.index for relu in made.late.values()], made.elsewhere) == ({}, [1], {1})
    assert list(plan(CONV, RELU, MaxPool2d(kernel=3)).late) == [2]


def test_what_others_read_as_well_keeps_its_place():
    assert plan(RELU, Residual(layers=[MaxPool2d(kernel=1)]), POOL).elsewhere == frozenset()
    assert plan(CONV, Residual(layers=[RELU]), POOL).convolutions == {}


def test_a_twin_with_another_layer_has_a_plan_of_its_own():
    network = Network((4, 16, 16), [CONV, RELU, POOL])
    assert plan_for(network, 8, np.dtype(np.float32)).convolutions
    twin = network.with_layer(1, LeakyReLU(name=network.nodes[1].name))
    assert plan_for(twin, 8, np.dtype(np.float32)) == AS_WRITTEN


def test_between_two_convolutions_that_work_in_strips_the_feature_maps_stay_in_strips():
    wide = Conv2d(filters=16, kernel=3, pad=1)
    made = plan(wide, RELU, wide, RELU, POOL, wide, LeakyReLU(), wide, M=32).convolutions
    assert list(made) == [2, 5, 7]  # the first has four channels
    assert [(conv.takes, conv.gives) for conv in made.values()] == [(False, True), (True, False), (False, False)]
    assert [conv.pools for conv in made.values()] == [True, False, False]


def test_a_first_convolution_in_quarters_gives_as_many_strips_as_the_next_one_reads():
    wide, float32 = Conv2d(filters=16, kernel=3, pad=1), np.dtype(np.float32)
    layers = [wide, POOL, RELU, wide]
    first, second = plan_for(Network((1, 16, 16), layers), 8, float32).convolutions.values()
    assert (type(first), first.gives, second.S, second.takes) == (QuarteredConv2d, 2, 2, True)
    layers[2] = LeakyReLU()
    first, second = plan_for(Network((1, 16, 16), layers), 8, float32).convolutions.values()
    assert (type(first), first.gives, second.takes) == (QuarteredConv2d, 0, False)


def test_what_somebody_else_reads_as_well_is_not_left_in_strips():
    wide = Conv2d(filters=16, kernel=3, pad=1)
    made = plan(wide, wide, Residual(layers=[wide])).convolutions
    assert [(conv.takes, conv.gives) for conv in made.values()] == [(False, False), (False, False)]


def test_float64_has_a_plan_of_its_own_without_strips():
    wide = Conv2d(filters=16, kernel=3, pad=1)
    assert not plan_for(Network((16, 16, 16), [wide]), 8, np.dtype(np.float64)).convolutions


def test_another_number_of_strips_needs_another_cut():
    wide = Conv2d(filters=16, kernel=3, pad=1)
    network = Network((16, 20, 20), [wide, POOL, wide])
    made = plan_for(network, 8, np.dtype(np.float32)).convolutions  # four strips of 5 columns, two of 5
    assert [(conv.S, conv.takes, conv.gives) for conv in made.values()] == [(4, False, False), (2, False, False)]
