"""The lecture on one page computes what cnnbp computes."""

import re
import runpy

import numpy as np
import pytest

from docs.documents import ROOT
from tests.cli.runs import document

PAGE, CONFIG = ROOT / "docs" / "lecture.py", ROOT / "configs" / "lecture.yaml"
DESCENT = "train.optimizer={sgd: {lr: 0.5}}"


def run(monkeypatch, *arguments):
    """Run the page and return its variables and its last line."""
    monkeypatch.setattr("sys.argv", [str(PAGE), *map(str, arguments)])
    return runpy.run_path(str(PAGE), run_name="__main__")


def assert_measured(lecture):
    for gradient, difference in zip(lecture["gradients"], lecture["differences"], strict=True):
        np.testing.assert_allclose(gradient, difference, atol=1e-9)


def test_its_numbers_are_those_of_cnnbp_grads(tmp_path, monkeypatch, capsys):
    found = document("grads", CONFIG, DESCENT, "--save", tmp_path / "batch.npz")
    lecture = run(monkeypatch, tmp_path / "batch.npz")
    steps = {step["symbol"]: step for step in found["steps"]}
    for k, name in enumerate(("W1", "b1", "W2", "b2")):
        step = steps[f"∂L/∂{name}"]
        stack = np.stack([share[k] for share in lecture["shares"]], axis=-1)
        np.testing.assert_allclose(stack.ravel(), np.ravel(step["images"]), rtol=1e-12, atol=1e-16)
        np.testing.assert_allclose(np.ravel(lecture["gradients"][k]), np.ravel(step["value"]), rtol=1e-12)
    stations = [lecture["forward"](X, *lecture["parameters"]) for X in lecture["images"]]
    for k, name in enumerate(("Z1", "A1", "F", "f", "Z2", "A2")):
        stack = np.stack([station[k] for station in stations], axis=-1)
        np.testing.assert_allclose(stack.ravel(), np.ravel(steps[name]["value"]), rtol=1e-12)
    assert_measured(lecture)
    before, after = re.findall(r"0\.\d{6}", capsys.readouterr().out.splitlines()[-1])
    assert float(before) == pytest.approx(found["update"]["loss_before"], abs=1e-6)
    assert float(after) == pytest.approx(found["update"]["loss_after"], abs=1e-6)


def test_it_needs_no_file(monkeypatch):
    lecture = run(monkeypatch)
    assert lecture["images"].shape == (4, 6, 6)
    assert_measured(lecture)


def test_it_fits_one_page_and_knows_nothing_but_numpy():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) == {"numpy", "sys"}
