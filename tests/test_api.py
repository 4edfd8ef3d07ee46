"""The Python interface: what it is called, and that its examples run."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnnbp
from cnnbp import api

ROOT = Path(__file__).parents[1]
LECTURE = ROOT / "configs/lecture.yaml"

PUBLIC = {
    *("load_config", "train", "backpropagate", "check_gradients"),
    *("Backpropagation", "Config", "Epoch", "Network", "Parameters"),
    *("CnnbpError", "ConfigError", "ShapeError", "DataError", "CheckpointError", "Diverged"),
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
    result = doctest.testmod(api)
    assert (result.failed, result.attempted > 8) == (0, True)


def test_training_yields_copies_that_can_be_used():
    config = cnnbp.load_config(LECTURE, ["train.epochs=2"])
    first, second = cnnbp.train(config, threads=1)
    assert (first.metrics.epoch, second.metrics.epoch) == (1, 2)
    assert not np.array_equal(first.parameters.vector, second.parameters.vector)
    x, labels = np.random.default_rng(0).random((1, 6, 6, 4)), np.array([0, 1, 0, 1])
    before, after = (cnnbp.backpropagate(config, x, labels, epoch.parameters) for epoch in (first, second))
    assert before.loss != after.loss


def test_backpropagation_is_the_chain_rule():
    config = cnnbp.load_config(LECTURE)
    x, labels = np.random.default_rng(0).random((1, 6, 6, 4)), np.array([0, 1, 0, 1])
    batch = cnnbp.backpropagate(config, x, labels)
    dz2, f = batch.value_gradients["dense1"], batch.values["flatten1"]
    np.testing.assert_allclose(batch.gradient["dense1"]["W"], dz2 @ f.T)
    assert batch.loss == pytest.approx(batch.losses.mean())
    assert batch.value_gradients["input"].shape == x.shape
