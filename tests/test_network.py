import numpy as np
import pytest

from cnnbp.errors import ConfigError, ShapeError
from cnnbp.layers import (
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    LayerSpec,
    MaxPool2d,
    ReLU,
    Residual,
    Tanh,
)
from cnnbp.network import INPUT, Network

IMAGES = (2, 6, 6)


def small(*layers: LayerSpec) -> Network:
    return Network(IMAGES, layers)


def test_shapes_follow_from_layer_to_layer():
    network = small(Conv2d(filters=4, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=3))
    assert [node.output_shape for node in network.nodes] == [(4, 4, 4), (4, 4, 4), (4, 2, 2), (16,), (3,)]
    assert [node.input_shapes for node in network.nodes] == [
        ((2, 6, 6),),
        ((4, 4, 4),),
        ((4, 4, 4),),
        ((4, 2, 2),),
        ((16,),),
    ]
    assert network.output_shape == (3,)
    assert {name: array.shape for name, array in network.layout.zeros(np.float32).named()} == {
        "conv2d1.W": (4, 2, 3, 3),
        "conv2d1.b": (4,),
        "dense1.W": (3, 16),
        "dense1.b": (3,),
    }


def test_a_layer_is_called_by_its_type_and_ordinal_unless_it_has_a_name():
    network = small(ReLU(), ReLU(name="mine"), ReLU(), BatchNorm(), Residual(layers=[ReLU()]))
    assert [node.name for node in network.nodes] == ["relu1", "mine", "relu3", "batchnorm1", "relu4", "residual1"]


@pytest.mark.parametrize(
    ("layers", "name", "path"),
    [
        ([ReLU(name="a"), Tanh(name="a")], "a", ("layers", 1)),
        ([ReLU(name="relu2"), ReLU()], "relu2", ("layers", 1)),
        ([ReLU(name="a"), Residual(layers=[Tanh(name="a")])], "a", ("layers", 1, "layers", 0)),
        ([Residual(name="a", layers=[ReLU()], shortcut=[Tanh(name="a")])], "a", ("layers", 0, "shortcut", 0)),
    ],
)
def test_two_layers_of_one_name_are_refused_at_the_second_ones_place(layers, name, path):
    with pytest.raises(ConfigError, match=f'two layers are called "{name}"') as raised:
        small(*layers)
    assert raised.value.path == path


@pytest.mark.parametrize(
    ("layers", "message", "path"),
    [
        (
            [ReLU(), MaxPool2d(name="pool3", kernel=8)],
            'maxpool2d "pool3": kernel 8×8 stride 8 does not fit its input 2×6×6 (⌊(6−8)/8⌋+1 = 0)',
            ("layers", 1),
        ),
        (
            [Conv2d(filters=1, kernel=(9, 3), pad=1)],
            'conv2d "conv2d1": kernel 9×3 stride 1 does not fit its input 2×6×6 (⌊(6+1+1−9)/1⌋+1 = 0)',
            ("layers", 0),
        ),
        (
            [Residual(layers=[ReLU(), Dense(units=3)])],
            'dense "dense1" needs a flat input (features); its input is 2×6×6×M:'
            " put a flatten or global_avgpool2d + flatten before it",
            ("layers", 0, "layers", 1),
        ),
        (
            [Residual(layers=[ReLU()], shortcut=[Conv2d(filters=2, kernel=1), Flatten(), ReLU()])],
            'residual "residual1" adds 2×6×6×M from its layers to 72×M from its shortcut: give it layers that keep the'
            " shape, or a shortcut (a conv2d with kernel 1 and the same stride) that changes it alike",
            ("layers", 0),
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_told_with_its_arithmetic_and_its_place(layers, message, path):
    with pytest.raises(ShapeError) as raised:
        small(*layers)
    assert str(raised.value) == message
    assert raised.value.path == path


def test_a_network_without_layers_is_refused():
    with pytest.raises(ConfigError, match="at least one layer"):
        small()


def test_readers_are_the_nodes_that_a_value_flows_into():
    network = small(ReLU(), Residual(layers=[Tanh()]), Flatten())
    names = {value: [node.name for node in readers] for value, readers in network.readers.items()}
    assert names == {INPUT: ["relu1"], 0: ["tanh1", "residual1"], 1: ["residual1"], 2: ["flatten1"], 3: []}


def weights_drawn_for(*layers: LayerSpec) -> float:
    """Return the standard deviation that the first layer's W is drawn with, in shares of he's."""
    network = Network((100,), layers)
    return float(network.initial_parameters(0, np.float64)["dense1"]["W"].std() / np.sqrt(2 / 100))


@pytest.mark.parametrize(
    ("layers", "share"),
    [
        ([Dense(units=100), ReLU()], 1),  # he
        ([Dense(units=100), Tanh()], 0.5**0.5),  # xavier: √(2/200)
        ([Dense(units=100)], 0.5**0.5),  # lecun: √(1/100)
        ([Dense(units=100), Dense(units=10), ReLU()], 0.5**0.5),  # no activation before the next weights
        ([Dense(units=100), BatchNorm(), Dropout(), ReLU()], 1),  # found behind what does not draw
        ([Residual(layers=[Dense(units=100)]), ReLU()], 1),  # and behind an add
        ([Dense(units=100), Residual(layers=[Dense(units=100)]), ReLU()], 1),  # by whichever way out of the node
        ([Dense(units=100, init="zeros"), ReLU()], 0),
        ([Dense(units=100, init="he"), Tanh()], 1),
    ],
)
def test_weights_are_drawn_to_suit_the_activation_that_follows(layers, share):
    assert weights_drawn_for(*layers) == pytest.approx(share, rel=0.03)


def test_lecun_and_xavier_differ_where_fan_in_and_fan_out_do():
    alone, before_tanh = (Network((100,), [Dense(units=300), *rest]) for rest in ([], [Tanh()]))
    deviations = [network.initial_parameters(0, np.float64)["dense1"]["W"].std() for network in (alone, before_tanh)]
    assert deviations == pytest.approx([(1 / 100) ** 0.5, (2 / 400) ** 0.5], rel=0.03)


def test_parameters_follow_from_the_seed_and_change_with_it():
    network = small(Conv2d(filters=4, kernel=3), Flatten(), Dense(units=3))
    first, again, other = (network.initial_parameters(seed).vector for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_tensors_numbers_do_not_depend_on_the_other_layers_sizes():
    wide, narrow = (small(Conv2d(filters=4, kernel=3), Flatten(), Dense(units=units)) for units in (9, 3))
    np.testing.assert_array_equal(*(n.initial_parameters(0)["conv2d1"]["W"] for n in (wide, narrow)))


def test_float32_parameters_are_the_float64_ones_rounded():
    network = small(Conv2d(filters=4, kernel=3), ReLU())
    single, double = network.initial_parameters(0), network.initial_parameters(0, np.float64)
    np.testing.assert_array_equal(single.vector, double.vector.astype(np.float32))


def test_biases_and_shifts_start_at_zero_and_scales_at_one():
    params = small(Conv2d(filters=4, kernel=3), BatchNorm(), Flatten(), Dense(units=3)).initial_parameters(0)
    np.testing.assert_array_equal(params["conv2d1"]["b"], 0)
    np.testing.assert_array_equal(params["dense1"]["b"], 0)
    np.testing.assert_array_equal(params["batchnorm1"]["beta"], 0)
    np.testing.assert_array_equal(params["batchnorm1"]["gamma"], 1)


def test_weight_decay_marks_the_weights_alone():
    network = small(Conv2d(filters=4, kernel=3), BatchNorm(), GlobalAvgPool2d(), Flatten(), Dense(units=3))
    marks = network.layout.views(network.decays())
    assert {
        f"{layer}.{name}": set(mark.ravel()) for layer, tensors in marks.items() for name, mark in tensors.items()
    } == {
        "conv2d1.W": {1},
        "conv2d1.b": {0},
        "batchnorm1.gamma": {0},
        "batchnorm1.beta": {0},
        "dense1.W": {1},
        "dense1.b": {0},
    }


def test_running_statistics_belong_to_the_layers_that_keep_them():
    state = small(BatchNorm(), ReLU()).initial_state()
    np.testing.assert_equal(state, {"batchnorm1": {"running_mean": np.zeros(2), "running_var": np.ones(2)}})
