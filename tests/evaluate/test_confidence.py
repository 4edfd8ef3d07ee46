"""Ranks and calibration, each against a count by hand."""

import numpy as np
import pytest

from cnnbp.evaluate.confidence import TopScore, area_under_curve, calibration_error, reliability, top_scores

RNG = np.random.default_rng(0)


def test_top_k_counts_the_images_whose_class_is_among_the_first_k():
    probabilities = RNG.dirichlet(np.ones(6), 40).T
    labels = RNG.integers(0, 6, 40)
    order = np.argsort(-probabilities, axis=0)
    expected = [TopScore(k, np.mean([labels[m] in order[:k, m] for m in range(40)])) for k in (2, 3, 5)]
    assert top_scores(probabilities, labels) == tuple(expected)
    assert top_scores(probabilities[:2], labels % 2) == ()


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order():
    scores, positive = RNG.integers(0, 6, 50) / 5, RNG.random(50) < 0.4
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[positive] for n in scores[~positive]]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))
    assert area_under_curve(scores, positive | True) is None


def test_calibration_compares_what_is_said_with_how_often_it_is_right():
    first = np.array([0.95, 0.91, 0.99, 0.55, 0.6, 1.0])
    bins = reliability(np.stack([first, 1 - first]), np.array([True, True, False, True, False, True]))
    assert [(each.low, each.images, each.accuracy) for each in bins] == [(0.5, 2, 0.5), (0.9, 4, 0.75)]
    assert bins[0].confidence == pytest.approx(0.575)
    assert calibration_error(bins) == pytest.approx((2 * 0.075 + 4 * (0.9625 - 0.75)) / 6)
