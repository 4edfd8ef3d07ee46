import numpy as np
import pytest
from pydantic import ValidationError

from cnnbp.errors import ShapeError
from cnnbp.layers import Add, Context, Conv2d, ReLU, Residual
from cnnbp.network import Network


def test_each_summand_gets_a_gradient_that_it_may_overwrite():
    x = np.ones((2, 3))
    _, cache = Add().forward({}, (x, x), Context())
    (left, right), _ = Add().backward({}, cache, np.ones((2, 3)), Context(may_overwrite=True))
    assert not np.shares_memory(left, right)


def test_a_block_becomes_its_layers_and_an_add():
    block = Residual(layers=[Conv2d(filters=2, kernel=3, pad=1), ReLU()])
    network = Network((2, 5, 5), [ReLU(), block])
    assert [(node.name, node.inputs) for node in network.nodes] == [
        ("relu1", (-1,)),
        ("conv2d1", (0,)),
        ("relu2", (1,)),
        ("residual1", (2, 0)),  # the block's layers, and x itself
    ]


def test_a_shortcut_of_layers_stands_beside_them():
    block = Residual(
        name="down",
        layers=[Conv2d(filters=4, kernel=3, stride=2, pad=1), ReLU()],
        shortcut=[Conv2d(filters=4, kernel=1, stride=2)],
    )
    network = Network((2, 5, 7), [block])
    assert [(node.name, node.inputs, node.output_shape) for node in network.nodes] == [
        ("conv2d1", (-1,), (4, 3, 4)),
        ("relu1", (0,), (4, 3, 4)),
        ("conv2d2", (-1,), (4, 3, 4)),
        ("down", (1, 2), (4, 3, 4)),
    ]


def test_blocks_stand_in_blocks():
    inner = Residual(layers=[ReLU()])
    network = Network((3,), [Residual(layers=[inner], shortcut=[inner])])
    assert [(node.name, node.inputs) for node in network.nodes] == [
        ("relu1", (-1,)),
        ("residual2", (0, -1)),
        ("relu2", (-1,)),
        ("residual3", (2, -1)),
        ("residual1", (1, 3)),
    ]


def test_sides_of_unequal_shape_are_told_with_what_to_do():
    block = Residual(name="r", layers=[Conv2d(filters=4, kernel=3)])
    with pytest.raises(ShapeError, match=r'residual "r" adds 4×3×3×M from its layers to 2×5×5×M .* give it layers'):
        Network((2, 5, 5), [block])


def test_a_block_without_layers_is_refused():
    with pytest.raises(ValidationError):
        Residual(layers=[])
