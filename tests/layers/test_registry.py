"""LAYERS is the one list of layers. What each of them needs elsewhere is asked for here, by the name of the place."""

import ast
import re
from pathlib import Path

import pytest

from cnnbp.gradcheck.bugs import LAYER_BUGS
from cnnbp.gradcheck.selftest import networks
from cnnbp.inspect.formulas import FORMULAS
from cnnbp.layers import LAYERS, SPELLINGS, Add, Residual
from tests import reference
from tests.samples import SAMPLES, samples_of

ROOT = Path(__file__).parents[2]
IN_TORCH = ROOT / "cnnbp" / "bench" / "torch_layers.py"
EVERY = (*LAYERS, Add)
every_layer = pytest.mark.parametrize("layer", EVERY, ids=lambda layer: layer.type)


def test_the_samples_are_of_these_layers():
    assert set(SAMPLES) == set(EVERY)


@every_layer
def test_every_layer_is_in_all_its_places(layer):
    """In the order of the page that tells how a layer is added."""
    ways = samples_of(layer).ways
    assert getattr(reference, layer.type, None), f"tests/reference.py: no function {layer.type}"
    for sample, shape in ways:
        assert sample.onnx(shape), f"{layer.__module__}: no ONNX form for {sample!r}"
    in_torch = {node.name for node in ast.parse(IN_TORCH.read_text()).body if isinstance(node, ast.FunctionDef)}
    assert layer.type in in_torch, f"cnnbp/bench/torch_layers.py: no function {layer.type}, its twin in PyTorch"
    assert layer.type in FORMULAS, f"cnnbp/inspect/formulas.py: no line {layer.type}, what a blackboard says"
    if layer in LAYERS:
        assert any(layer in bug.layers for bug in LAYER_BUGS), f"cnnbp/gradcheck/bugs: no mistake in {layer.type}"
    tested = {type(node.layer) for network, _ in networks().values() for node in network.nodes}
    assert layer in tested, f"cnnbp/gradcheck/selftest.py: no network with {layer.type}, to plant its mistakes in"


def test_every_layer_is_spelled_by_its_type_and_so_is_a_residual_block():
    assert {layer.type: layer for layer in LAYERS} | {"residual": Residual} == SPELLINGS


@pytest.mark.parametrize("layer", SPELLINGS.values(), ids=lambda layer: layer.type)
def test_every_option_says_what_it_does(layer):
    for name, field in layer.model_fields.items():
        assert field.description, f"{layer.type}.{name}"


@every_layer
def test_a_layers_own_file_shows_its_forward_and_its_backward(layer):
    """Not those of a base class: the formula stands where the layer does."""
    source = (ROOT / f"{layer.__module__.replace('.', '/')}.py").read_text()
    body = re.search(rf"^class {layer.__name__}\(.*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL)
    assert body
    assert all(f"def {name}(" in body[0] for name in ("forward", "backward"))
