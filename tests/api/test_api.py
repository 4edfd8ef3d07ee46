"""The Python interface: what it is called, and that its examples run."""

import doctest
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cnnbp
from cnnbp.api import functions, training
from docs import public as documented

ROOT = Path(__file__).parents[2]

PUBLIC = {
    *("load_config", "train", "load", "backpropagate", "check_gradients", "shapes", "grads", "inventory"),
    *("Backpropagation", "Config", "Epoch", "Network", "Parameters", "Predictions", "Run"),
    *("EpochMetrics", "Evaluation", "Export", "Inspection", "Inventory", "NetworkShapes", "Prediction"),
    *("CnnbpError", "ConfigError", "ShapeError", "UnknownName", "DataError", "CheckpointError", "Diverged"),
}


def test_the_public_names_are_these():
    assert set(cnnbp.__all__) == PUBLIC


def members(module):
    """Yield the public names of a module, and those that its classes define, with what they are."""
    for name in documented.PUBLIC[module]:
        found = getattr(import_module(module), name)
        yield name, found
        for member, value in vars(found).items() if inspect.isclass(found) else ():
            if not member.startswith(("_", "model_")) and (callable(value) or isinstance(value, property)):
                yield f"{name}.{member}", getattr(found, member)


@pytest.mark.parametrize("module", documented.PUBLIC)
def test_all_that_the_reference_shows_says_what_it_is(module):
    silent = [name for name, found in members(module) if not inspect.getdoc(found)]
    assert silent == []


@pytest.mark.parametrize("name", sorted(name for name in PUBLIC if inspect.isfunction(getattr(cnnbp, name))))
def test_each_function_says_what_it_raises(name):
    assert "Raises" in inspect.getdoc(getattr(cnnbp, name))


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = cnnbp.trian


def test_import_cnnbp_imports_nothing_heavy():
    code = "import sys, cnnbp; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"numpy", "pydantic", "PIL", "yaml", "rich"} & set(modules.split())


def test_the_examples_in_the_docstrings_run(monkeypatch):
    monkeypatch.chdir(ROOT)
    results = [doctest.testmod(module) for module in (functions, training)]
    assert [result.failed for result in results] == [0, 0]
    assert sum(result.attempted for result in results) > 10
