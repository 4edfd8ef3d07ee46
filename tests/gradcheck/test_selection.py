import pytest

from cnnbp.errors import ConfigError
from cnnbp.gradcheck.selection import chosen_nodes
from tests.gradcheck.points import point

NETWORK = point().network


def names(tensors):
    return [node.name for node in chosen_nodes(NETWORK, tensors)]


def test_without_a_choice_it_is_all_layers():
    assert names([]) == ["conv2d1", "relu1", "maxpool2d1", "flatten1", "dense1"]


def test_a_tensor_stands_for_its_layer_and_the_images_for_their_reader():
    assert names(["dense1.b"]) == ["dense1"]
    assert names(["X"]) == ["conv2d1"]
    assert names(["dense1.W", "dense1.b", "X"]) == ["conv2d1", "dense1"]


@pytest.mark.parametrize(("wrong", "meant"), [("conv2d1.w", "conv2d1.W"), ("dense2.b", "dense1.b"), ("x", "X")])
def test_an_unknown_tensor_is_told_what_it_might_be(wrong, meant):
    with pytest.raises(ConfigError, match=f'no tensor "{wrong}".*did you mean "{meant}"'):
        chosen_nodes(NETWORK, [wrong])
