import numpy as np
import pytest

from cnnbp.data.decode import ImageFormat
from cnnbp.data.store import ImageSet
from cnnbp.evaluate.scores import evaluate, wilson_interval
from cnnbp.losses import CrossEntropy
from cnnbp.training.datasets import Subset
from cnnbp.training.measure import Measurement

# true classes a a a b b c, taken for a a b b b a; d is neither there nor predicted
LABELS = np.array([0, 0, 0, 1, 1, 2])
TAKEN = np.array([0, 0, 1, 1, 1, 0])


@pytest.fixture
def evaluation():
    names = tuple(f"{index}.png" for index in range(6))
    empty = np.empty((0, 1, 1, 1), np.uint8)
    images = ImageSet(ImageFormat(1, 1, 1), empty, LABELS, names, (), np.zeros(6, np.uint64))
    logits = 3.0 * np.eye(4)[:, TAKEN] + np.arange(6) / 10 * np.eye(4)[:, TAKEN]
    losses, _ = CrossEntropy().forward(logits, LABELS)
    return evaluate(Measurement(Subset("test", images, np.arange(6)), CrossEntropy(), logits, losses), "abcd", 2)


def test_precision_recall_and_f1_are_those_counted_by_hand(evaluation):
    a, b, c, d = evaluation.classes
    assert (a.images, a.predicted, a.right) == (3, 3, 2)
    assert (a.precision, a.recall, a.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert (b.precision, b.recall, b.f1) == (2 / 3, 1.0, 0.8)
    assert (c.precision, c.recall, c.f1) == (None, 0.0, 0.0)
    assert (d.precision, d.recall, d.f1) == (None, None, None)


def test_means_count_a_class_that_is_never_predicted_and_leave_out_one_without_images(evaluation):
    assert evaluation.mean.precision == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert evaluation.mean.recall == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert evaluation.mean.f1 == pytest.approx((2 / 3 + 0.8 + 0) / 3)


def test_the_worst_images_are_those_with_the_largest_losses(evaluation):
    assert [(image.name, image.label, image.prediction) for image in evaluation.worst] == [
        ("5.png", "c", "a"), ("2.png", "a", "b")
    ]  # fmt: skip
    worst = evaluation.worst[0]
    assert worst.loss == pytest.approx(-np.log(worst.label_probability))
    assert worst.prediction_probability == pytest.approx(np.exp(3.5) / (np.exp(3.5) + 3))


def test_the_totals_are_those_of_all_images(evaluation):
    assert (evaluation.images, evaluation.right, evaluation.accuracy) == (6, 4, 4 / 6)
    np.testing.assert_array_equal(evaluation.confusion, [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("right", "total", "low", "high"), [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)]
)
def test_the_interval_is_wilsons(right, total, low, high):
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=2e-4)
