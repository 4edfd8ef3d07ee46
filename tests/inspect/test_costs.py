from itertools import product

import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.inspect.costs import network_shapes, receptive_fields
from cnnbp.layers import AvgPool2d, BatchNorm, Conv2d, Dense, Flatten, GlobalAvgPool2d, MaxPool2d, ReLU, Residual
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from cnnbp.network import INPUT, Network
from cnnbp.tape import Tape
from tests.inspect.lecture import lecture_model


def lecture():
    return network_shapes(lecture_model().network, BinaryCrossEntropy(), 3)


def column(shapes, name):
    return [getattr(layer, name) for layer in shapes.layers]


def test_the_lectures_tensors_have_the_lectures_names_and_shapes():
    shapes = lecture()
    assert dict(zip(column(shapes, "symbol"), column(shapes, "output_shape"), strict=True)) == {
        "Z1": (1, 4, 4),
        "A1": (1, 4, 4),
        "F": (1, 2, 2),
        "f": (4,),
        "Z2": (1,),
    }
    parameters = {parameter.symbol: parameter.shape for layer in shapes.layers for parameter in layer.parameters}
    assert parameters == {"W1": (1, 1, 3, 3), "b1": (1,), "W2": (1, 4), "b2": (1,)}
    assert (shapes.loss.symbol, shapes.loss.output_shape) == ("A2", (1,))


def test_the_lectures_costs_are_those_worked_out_by_hand():
    shapes = lecture()
    assert shapes.parameter_count == 9 + 1 + 4 + 1
    assert column(shapes, "macs") == [16 * 9, 0, 0, 0, 4]
    assert column(shapes, "backward_macs") == [16 * 9, 0, 0, 0, 2 * 4]  # nobody reads ∂L/∂X
    assert column(shapes, "receptive_field") == [(3, 3), (3, 3), (4, 4), (4, 4), (6, 6)]


def test_grouped_and_strided_convolutions_multiply_accordingly():
    conv = Conv2d(filters=6, kernel=(3, 2), stride=(2, 1), groups=2)
    [layer, *_] = network_shapes(Network((4, 9, 7), [conv, Flatten()]), CrossEntropy(), 1).layers
    assert layer.output_shape == (6, 4, 6)
    assert layer.macs == 6 * 4 * 6 * (4 // 2) * 3 * 2


def test_only_a_classifier_has_an_activation_in_its_loss():
    network = lecture_model().network
    assert network_shapes(network, MeanSquaredError(), 1).loss.symbol is None


def test_layers_of_a_residual_block_lie_inside_it_and_its_sum_outside():
    block = Residual(layers=[Conv2d(filters=1, kernel=1), ReLU()], shortcut=[Conv2d(filters=1, kernel=1)])
    shapes = network_shapes(Network((1, 4, 4), [Residual(layers=[block, ReLU()]), Flatten()]), CrossEntropy(), 1)
    assert column(shapes, "type") == ["conv2d", "relu", "conv2d", "add", "relu", "add", "flatten"]
    assert column(shapes, "depth") == [2, 2, 2, 1, 1, 0, 0]
    assert column(shapes, "inputs") == [(INPUT,), (0,), (INPUT,), (1, 2), (3,), (4, INPUT), (5,)]


@pytest.mark.parametrize(
    "layers",
    [
        [Conv2d(filters=1, kernel=(3, 5), stride=2), Conv2d(filters=1, kernel=3, dilation=(2, 1))],
        [AvgPool2d(kernel=3, stride=2), Conv2d(filters=1, kernel=3), AvgPool2d(kernel=2)],
        [Conv2d(filters=1, kernel=3, pad="same"), AvgPool2d(kernel=(1, 2)), Conv2d(filters=1, kernel=(2, 1))],
        [Residual(layers=[Conv2d(filters=1, kernel=3, pad="same")]), Conv2d(filters=1, kernel=3)],
        [Conv2d(filters=1, kernel=3), GlobalAvgPool2d()],
        [Conv2d(filters=1, kernel=2), Flatten(), Dense(units=3)],
    ],
)
def test_a_receptive_field_is_as_large_as_what_backward_reaches(layers):
    network = Network((1, 31, 29), layers)
    params = network.initial_parameters(0, np.float64)
    params.vector[:] = 1
    tape = Tape(network, params, {}, np.ones((1, 31, 29, 1)), Arena(), keep_everything=True)
    y = tape.forward()
    dy = np.zeros_like(y)
    dy[tuple(n // 2 for n in y.shape)] = 1  # a number in the middle, which no border cuts short
    tape.gradients[len(network.nodes) - 1] = dy
    tape.backward(params.copy())
    reached = np.nonzero(tape.gradients[INPUT][0, :, :, 0])
    assert receptive_fields(network)[network.nodes[-1].index] == tuple(np.ptp(i) + 1 for i in reached)


def test_a_receptive_field_ends_with_the_image():
    layers = [Conv2d(filters=1, kernel=3, pad=1) for _ in range(4)]
    assert [receptive_fields(Network((1, 5, 9), layers))[i] for i in range(4)] == [(3, 3), (5, 5), (5, 7), (5, 9)]


def test_batch_norm_and_activations_see_what_the_layer_before_them_sees():
    fields = receptive_fields(
        Network((1, 8, 8), [Conv2d(filters=2, kernel=3), BatchNorm(), ReLU(), MaxPool2d(kernel=2)])
    )
    assert [fields[i] for i in range(4)] == [(3, 3), (3, 3), (3, 3), (4, 4)]


def test_a_networks_totals_are_the_sums_over_its_layers():
    shapes = lecture()
    for total, parts in product(("parameter_count", "macs", "backward_macs"), [shapes.layers]):
        assert getattr(shapes, total) == sum(getattr(layer, total) for layer in parts)
    assert shapes.kept_bytes == sum(column(shapes, "activation_bytes")) + sum(column(shapes, "cache_bytes"))
