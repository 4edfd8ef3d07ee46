"""What a notebook shows: the terminal's tables, once, and no bar that is left."""

import re
import sys
from contextlib import suppress
from html import unescape
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import cnnbp
from cnnbp.report.notebook_bar import epochs_bar
from tests.cli.terminal import Terminal

ROOT = Path(__file__).parents[2]
LECTURE = ROOT / "configs/lecture.yaml"
X, Y = np.random.default_rng(0).random((1, 6, 6, 4)), [0, 1, 0, 1]


@pytest.fixture(scope="module")
def config():
    return cnnbp.load_config(LECTURE, ["train.epochs=2"])


@pytest.fixture(scope="module")
def run(config):
    return list(cnnbp.train(config))[-1].run


def text_of(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


RESULTS = {
    "config": (lambda config, run: config, "<Config 1×6×6, 5 layers, binary_cross_entropy, 2 epochs>", "epochs: 2"),
    "shapes": (lambda config, run: cnnbp.shapes(config), "<NetworkShapes 5 layers, 15 parameters, 148 MACs", "∂L/∂W1"),
    "grads": (
        lambda config, run: cnnbp.grads(config, X, Y),
        "<Inspection of 4 images, loss 0.",
        "The chain rule with numbers",
    ),
    "gradcheck": (lambda config, run: cnnbp.check_gradients(config), "<GradcheckReport pass, ", "Each layer alone"),
    "data": (
        lambda config, run: cnnbp.inventory(ROOT / "datasets/strokes"),
        f"<Inventory of '{ROOT / 'datasets/strokes'}': 2 classes; images 120 train>",
        "6×6 (120)",
    ),
    "evaluation": (lambda config, run: run.evaluate((X, Y)), "<Evaluation ", "Taken for which"),
    "run": (lambda config, run: run, "<Run 'epoch 2', epoch 2, loss 0.", "horizontal, vertical"),
    "parameters": (
        lambda config, run: run.parameters,
        "<Parameters 15 numbers, float32; conv1: W b, d",
        "conv1.W   1×1×3×3",
    ),
    "backpropagation": (lambda config, run: run.backpropagate(X, Y), "<Backpropagation loss 0.", "∂L/∂value"),
    "predictions": (lambda config, run: run.predict(X), "<4 predictions; images[0]: ", "images[3]"),
}


@pytest.mark.parametrize(("result", "short", "shown"), RESULTS.values(), ids=RESULTS)
def test_a_result_is_short_as_text_and_whole_as_html(config, run, result, short, shown, capsys):
    found = result(config, run)
    assert repr(found).startswith(short)
    assert len(repr(found)) < 300
    html = found._repr_html_()
    assert shown in text_of(html)
    assert html.count("<pre") == html.count("</pre>") > 0
    assert capsys.readouterr() == ("", "")  # Rich displays what it prints by itself in a kernel


def test_a_runs_curves_are_a_picture(run):
    assert run._repr_html_().count('src="data:image/png;base64,iVBOR') == 1


def test_a_network_is_short(config):
    assert repr(config.network) == "<Network 1×6×6 → 1, 5 layers, 15 parameters>"


def test_names_are_no_html(tmp_path):
    (tmp_path / "a.yaml").write_text(LECTURE.read_text().replace("../datasets/strokes", "'<b>'"))
    assert "<b>" not in cnnbp.load_config(tmp_path / "a.yaml")._repr_html_()


@pytest.fixture
def kernel(monkeypatch):
    """Stand in for a notebook's kernel, and keep what a cell's output becomes."""
    updates = []
    package, display = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython = lambda: SimpleNamespace(kernel=object())
    display.HTML = str
    display.display = lambda html, display_id: SimpleNamespace(update=updates.append)
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return updates


def test_a_cells_bar_goes_away_and_its_rows_stay(kernel, config):
    list(cnnbp.train(config, progress=True))
    assert any("<progress" in html and "epoch 1/2" in html for html in kernel)
    assert "<progress" not in kernel[-1]
    assert [row.split()[0] for row in text_of(kernel[-1]).splitlines() if "/2" in row] == ["1/2", "2/2"]


def test_a_cells_bar_goes_away_when_training_ends_in_an_error(kernel):
    context = epochs_bar(True)
    _, bar = context.__enter__()
    bar.show("epoch 1/2", 1, 2)
    assert "<progress" in kernel[-1]
    error = ValueError("stop")
    with suppress(ValueError):
        context.__exit__(ValueError, error, None)
    assert "<progress" not in kernel[-1]


def test_nothing_is_displayed_where_no_bar_is_wanted(kernel, config):
    list(cnnbp.train(config))
    assert kernel == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_command_leaves_no_bars_in_a_notebook(config, tmp_path):
    """`!cnnbp …` has a terminal there that takes nothing back."""
    list(cnnbp.train(config, run=(path := tmp_path / "run"), plots=False))
    with Terminal(80, "evaluate", path) as terminal:
        assert terminal.finish() == 0
    assert "\x1b[2K" in terminal.text  # a bar that was taken back
    with Terminal(80, "evaluate", path, JPY_PARENT_PID="1") as terminal:
        assert terminal.finish() == 0
    assert "accuracy" in terminal.text
    assert "\x1b[2K" not in terminal.text
