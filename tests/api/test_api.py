"""The Python interface: what it is called, and that its examples run."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import cnnbp
from cnnbp.api import functions, training

ROOT = Path(__file__).parents[2]

PUBLIC = {
    *("load_config", "train", "load", "backpropagate", "check_gradients", "shapes", "grads", "inventory"),
    *("Backpropagation", "Config", "Epoch", "Network", "Parameters", "Predictions", "Run"),
    *("CnnbpError", "ConfigError", "ShapeError", "UnknownName", "DataError", "CheckpointError", "Diverged"),
}


def test_the_public_names_are_these():
    assert set(cnnbp.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(cnnbp, name).__doc__, name


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
