import os

import numpy as np
import pytest
from PIL import Image

from cnnbp.data.decode import ImageFormat
from cnnbp.data.store import ImageSet
from cnnbp.losses import CrossEntropy
from cnnbp.report.pictures import curves_png, save_confusion, save_curves, save_filters, save_misclassified
from cnnbp.training.datasets import Subset
from cnnbp.training.measure import Measurement
from cnnbp.training.state import EpochMetrics

HOSTILE = ["$x^", "日本", "[red]", "a\nb", "$", "long " * 20, "\\frac{", "\udcff"]


def colours(path):
    with Image.open(path) as image:
        return {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}


@pytest.mark.parametrize("channels", [1, 3])
def test_misclassified_images_are_shown_under_any_name(tmp_path, channels):
    count = len(HOSTILE)
    pixels = np.full((count, channels, 5, 4), 200, np.uint8)
    image_format = ImageFormat(channels, 5, 4)
    images = ImageSet(image_format, pixels, np.arange(count), tuple(HOSTILE), (), np.zeros(count, np.uint64))
    logits = 3 * np.roll(np.eye(count), 1, axis=0)
    losses, _ = CrossEntropy().forward(logits, images.labels)
    measurement = Measurement(Subset("test", images, np.arange(count)), CrossEntropy(), logits, losses)
    save_misclassified(measurement, HOSTILE, tmp_path / "sheet.png")
    assert (200, 200, 200) in colours(tmp_path / "sheet.png")


def test_a_single_mistake_among_many_is_seen_in_red(tmp_path):
    counts = np.diag([99, 100])
    counts[0, 1] = 1
    save_confusion(counts, HOSTILE[:2], "title", tmp_path / "confusion.png")
    red = [(r, g, b) for r, g, b in colours(tmp_path / "confusion.png") if r > g + 10 and r > b + 10]
    assert red


def test_a_confusion_matrix_may_have_empty_classes_and_one_class(tmp_path):
    save_confusion(np.zeros((3, 3), int), "abc", "title", tmp_path / "empty.png")
    save_confusion(np.array([[3]]), "a", "title", tmp_path / "one.png")


@pytest.mark.parametrize("shape", [(16, 1, 3, 3), (5, 3, 7, 7), (1, 1, 1, 1), (9, 3, 1, 5)])
def test_filters_of_any_shape_are_drawn(tmp_path, shape):
    save_filters(np.random.default_rng(0).normal(size=shape), "$conv_1", tmp_path / "filters.png")
    assert len(colours(tmp_path / "filters.png")) > 2


@pytest.mark.parametrize("losses", [(1.0,), (2.0, 1.0), (1.0, 1e-6), (1.0, 0.0)])
@pytest.mark.parametrize("validated", [True, False])
def test_curves_of_any_length_and_range_are_drawn(tmp_path, losses, validated):
    history = [
        EpochMetrics(n, loss, 0.5, loss if validated else None, 0.5 if validated else None, 0.1, 1.0, 0.01)
        for n, loss in enumerate(losses, 1)
    ]
    save_curves(history, "loss", tmp_path / "curves.png")
    assert len(colours(tmp_path / "curves.png")) > 2


def test_curves_of_no_epoch_and_counts_of_many_classes_are_drawn(tmp_path):
    save_curves([], "loss", tmp_path / "curves.png")
    save_confusion(np.eye(21, dtype=int), [str(k) for k in range(21)], "title", tmp_path / "confusion.png")
    assert len(colours(tmp_path / "curves.png")) > 2
    assert len(colours(tmp_path / "confusion.png")) > 2


def test_the_users_own_settings_of_matplotlib_stay_and_change_nothing(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    history = [EpochMetrics(epoch, 1 / epoch, 0.5, 2 / epoch, 0.4, 0.1, 1.0, 0.01) for epoch in (1, 2, 3)]
    usual = curves_png(history, "loss")
    monkeypatch.setenv("MPLBACKEND", "svg")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30}):
        assert curves_png(history, "loss") == usual
        assert (matplotlib.rcParams["lines.linewidth"], matplotlib.rcParams["font.size"]) == (9, 30)
    assert os.environ["MPLBACKEND"] == "svg"


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.float32), (2, np.float32), (4, np.uint8), (5, np.uint8)])
def test_misclassified_arrays_of_any_kind_are_shown(tmp_path, channels, dtype):
    pixels = np.linspace(0, 9, 2 * channels * 20).reshape(2, channels, 5, 4).astype(dtype)
    images = ImageSet(ImageFormat(channels, 5, 4), pixels, np.arange(2), ("a", "b"), (), np.zeros(2, np.uint64))
    logits = 3 * np.eye(2)[::-1]
    losses, _ = CrossEntropy().forward(logits, images.labels)
    measurement = Measurement(Subset("val", images, np.arange(2)), CrossEntropy(), logits, losses)
    save_misclassified(measurement, ("a", "b"), tmp_path / "sheet.png")
    assert len(colours(tmp_path / "sheet.png")) > 20
