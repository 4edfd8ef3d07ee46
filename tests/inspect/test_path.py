import numpy as np
import pytest

from cnnbp.inspect.path import Factor, Fork, path_text, paths
from cnnbp.inspect.symbols import derive_symbols
from cnnbp.layers import Conv2d, Dense, Flatten, GlobalAvgPool2d, ReLU, Residual
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from cnnbp.network import Network
from tests.inspect.lecture import lecture_model
from tests.random_networks import random_network


def of(network, loss):
    return paths(network, loss, derive_symbols(network))


def test_the_lectures_product_is_written_out_with_the_shape_of_each_factor():
    found = of(lecture_model().network, BinaryCrossEntropy())
    assert list(found) == ["W2", "b2", "W1", "b1", "X"]
    assert path_text(found["W1"]) == "∂L/∂A2 · ∂A2/∂Z2 · ∂Z2/∂f · ∂f/∂F · ∂F/∂A1 · ∂A1/∂Z1 · ∂Z1/∂W1"
    assert [(factor.rows, factor.columns) for factor in found["W1"]] == [
        *((1, 1), (1, 1), (1, 4), (4, 4), (4, 16), (16, 16), (16, 9))
    ]
    assert path_text(found["b2"]) == "∂L/∂A2 · ∂A2/∂Z2 · ∂Z2/∂b2"
    assert found["X"][-1] == Factor("Z1", "X", 16, 36)


def test_a_loss_on_the_outputs_themselves_begins_with_them():
    assert path_text(of(Network((3,), [Dense(units=2)]), MeanSquaredError())["X"]) == "∂L/∂Z1 · ∂Z1/∂X"


def test_both_ways_through_a_block_are_added_and_what_is_inside_it_lies_on_one():
    block = Residual(layers=[Conv2d(filters=2, kernel=1), ReLU()], shortcut=[Conv2d(filters=2, kernel=1)])
    network = Network((2, 3, 3), [ReLU(), block, GlobalAvgPool2d(), Flatten()])
    found = of(network, CrossEntropy())
    way_in = "∂L/∂A1′ · ∂A1′/∂f · ∂f/∂F · ∂F/∂R"
    both = "(∂R/∂A1 · ∂A1/∂Z1 · ∂Z1/∂A0 + ∂R/∂Z2 · ∂Z2/∂A0)"
    assert path_text(found["X"]) == f"{way_in} · {both} · ∂A0/∂X"
    assert path_text(found["W1"]) == f"{way_in} · ∂R/∂A1 · ∂A1/∂Z1 · ∂Z1/∂W1"
    assert path_text(found["W2"]) == f"{way_in} · ∂R/∂Z2 · ∂Z2/∂W2"


def shape(path):
    """Multiply a path's shapes out and return the product's, or fail where two neighbours do not fit."""
    rows = columns = None
    for part in path:
        if isinstance(part, Fork):
            shapes = {shape(way) for way in part.paths}
            assert len(shapes) == 1
            first, last = shapes.pop()
        else:
            first, last = part.rows, part.columns
        assert columns in (None, first)
        rows, columns = (first if rows is None else rows), last
    return rows, columns


@pytest.mark.parametrize("seed", range(12))
def test_neighbouring_factors_fit_whatever_the_network(seed):
    drawn = random_network(seed)
    symbols = derive_symbols(drawn.network)
    found = paths(drawn.network, drawn.loss, symbols)
    assert shape(found.pop("X")) == (1, np.prod(drawn.network.input_shape))
    sizes = {
        symbols.parameters[node.name][name]: np.prod(spec.shape)
        for node in drawn.network.nodes
        for name, spec in node.parameter_specs.items()
    }
    assert {symbol: shape(path) for symbol, path in found.items()} == {s: (1, size) for s, size in sizes.items()}
