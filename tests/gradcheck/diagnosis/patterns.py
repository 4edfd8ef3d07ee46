"""Patterns made by hand: what backward says, and what is right."""

import numpy as np

from cnnbp.gradcheck.diagnosis import Pattern

MAPS = ("channel", "row", "column", "image")
KERNEL, MATRIX = ("filter", "channel", "row", "column"), ("unit", "feature")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def pattern(analytic, numeric, axes=("channel",), *, kink=None, bound=0.0, **sizes):
    """Return the pattern of two arrays; entries that differ are wrong, those that are NaN were not checked."""
    analytic, numeric = np.asarray(analytic, float), np.asarray(numeric, float)
    wrong = np.abs(analytic - numeric) > 1e-8 * np.nanmax(np.abs(numeric))
    kink = np.zeros(numeric.shape, bool) if kink is None else np.asarray(kink)
    return Pattern(analytic, numeric, wrong, kink, np.full(numeric.shape, bound), axes, sizes)


def unchecked(numeric, share=0.5):
    """Return the array with some entries not checked."""
    numeric = numeric.copy()
    numeric[np.random.default_rng(9).random(numeric.shape) > share] = np.nan
    return numeric
