"""Losses, predictions and confusion of a few images, counted by hand."""

import numpy as np
import pytest

from cnnbp.losses import CrossEntropy
from cnnbp.training.loading import load_datasets
from cnnbp.training.measure import Measurement
from tests.training.jobs import config, images, working

LOGITS = np.log([[0.7, 0.2, 0.4, 0.1], [0.3, 0.8, 0.6, 0.9]])  # (2, N): classes 0, 1, 1, 1 are the most probable


@pytest.fixture
def measurement(tmp_path):
    """Two images of each class, of which the second of class 0 and nothing of class 1 is mistaken."""
    subset = load_datasets(config(images(tmp_path / "images", (2, 2)), data={"validation": 0})).train
    loss = CrossEntropy()
    losses, _ = loss.forward(LOGITS, subset.labels)
    return Measurement(subset, loss, LOGITS, losses)


def test_it_counts_what_was_found(measurement):
    assert measurement.subset.labels.tolist() == [0, 0, 1, 1]
    assert measurement.predictions.tolist() == [0, 1, 1, 1]
    assert measurement.accuracy == 0.75
    assert measurement.confusion(2).tolist() == [[1, 1], [0, 2]]
    assert measurement.misclassified.tolist() == [1]


def test_its_loss_is_the_mean_over_the_images(measurement):
    assert measurement.loss == pytest.approx(-np.log([0.7, 0.2, 0.6, 0.9]).mean())
    np.testing.assert_allclose(measurement.probabilities(), np.exp(LOGITS))


def test_what_is_measured_does_not_depend_on_the_batches(tmp_path):
    folder = images(tmp_path / "images")
    results = []
    for batch_size in (1, 5, 12):
        with working(config(folder, batch_size=batch_size, data={"validation": 0})) as (job, state):
            seen = []
            results.append(job.measure(state, job.datasets.train, seen.append))
            assert seen[-1] == 12
    for result in results:
        np.testing.assert_allclose(result.losses, results[0].losses, rtol=1e-5)


def test_augmentation_is_for_training_only(tmp_path):
    folder = images(tmp_path / "images")
    plain, augmented = (config(folder, data={"augment": augment}) for augment in ([], [{"brightness": 0.9}]))
    losses = []
    for settings in (plain, augmented):
        with working(settings) as (job, state):
            losses.append(job.measure(state, job.datasets.validation, lambda done: None).losses)
    np.testing.assert_array_equal(*losses)
