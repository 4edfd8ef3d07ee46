from cnnbp.inspect.symbols import derive_symbols, slope
from cnnbp.layers import Add, BatchNorm, Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Residual
from cnnbp.network import INPUT, Network


def names(network: Network) -> list[str]:
    symbols = derive_symbols(network)
    return [symbols.values[INPUT], *(symbols.values[node.index] for node in network.nodes), symbols.output]


def test_the_lecture_network_has_the_lectures_names() -> None:
    layers = [Conv2d(filters=1, kernel=(3, 3)), ReLU(), MaxPool2d(kernel=(2, 2)), Flatten(), Dense(units=1)]
    network = Network((1, 6, 6), layers)
    assert names(network) == ["X", "Z1", "A1", "F", "f", "Z2", "A2"]
    assert derive_symbols(network).parameters["conv2d1"] == {"W": "W1", "b": "b1"}
    assert derive_symbols(network).parameters["dense1"] == {"W": "W2", "b": "b2"}
    assert slope("W2") == "∂L/∂W2"


def test_several_pools_take_the_number_of_the_convolution_before_them() -> None:
    block = [Conv2d(filters=2, kernel=(3, 3), pad="same"), ReLU(), MaxPool2d(kernel=(2, 2))]
    network = Network((1, 8, 8), [*block, *block, Flatten(), Dense(units=3)])
    assert names(network) == ["X", "Z1", "A1", "F1", "Z2", "A2", "F2", "f", "Z3", "A3"]


def test_a_second_activation_of_the_same_layer_gets_a_prime() -> None:
    layers = [Conv2d(filters=1, kernel=(1, 1)), ReLU(), ReLU(), Dropout(), Flatten()]
    assert names(Network((1, 2, 2), layers)) == ["X", "Z1", "A1", "A1′", "D", "f", "A1′′"]


def test_many_of_one_name_have_short_names_of_their_own() -> None:
    found = names(Network((2,), [Dense(units=2), *[ReLU()] * 20]))
    assert found[2:8] == ["A1", "A1′", "A1′′", "A1′′′", "A1′4", "A1′5"]
    assert len(set(found)) == len(found)


def test_batch_norm_and_a_residual_block_are_named_beside_the_lectures_letters() -> None:
    inner = [Conv2d(filters=1, kernel=(3, 3), pad="same", bias=False), BatchNorm()]
    network = Network((1, 4, 4), [Residual(layers=inner), ReLU(), Flatten(), Dense(units=1)])
    assert isinstance(network.nodes[2].layer, Add)
    assert names(network) == ["X", "Z1", "N", "R", "A1", "f", "Z2", "A2"]
    assert derive_symbols(network).parameters["conv2d1"] == {"W": "W1"}
    assert derive_symbols(network).parameters["batchnorm1"] == {"gamma": "γ", "beta": "β"}
