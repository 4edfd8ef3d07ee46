"""LAYERS is the one list of layers: what it holds is spelled, and under the contract."""

import importlib

import pytest

from cnnbp.layers import LAYERS, SPELLINGS, Residual
from tests.layers.contract import LayerContract


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.type)
def test_every_layer_is_under_the_contract(layer):
    tests = importlib.import_module(f"tests.layers.test_{layer.__module__.rpartition('.')[-1]}")
    assert issubclass(getattr(tests, f"Test{layer.__name__}"), LayerContract)


def test_every_layer_is_spelled_by_its_type_and_so_is_a_residual_block():
    assert {layer.type: layer for layer in LAYERS} | {"residual": Residual} == SPELLINGS


@pytest.mark.parametrize("layer", SPELLINGS.values(), ids=lambda layer: layer.type)
def test_every_option_says_what_it_does(layer):
    for name, field in layer.model_fields.items():
        assert field.description, f"{layer.type}.{name}"
