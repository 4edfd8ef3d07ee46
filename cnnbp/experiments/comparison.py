"""Settings side by side, each over several seeds: means, deviations, and which differences are more than noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import mean, stdev
from typing import Any

from cnnbp.experiments.records import RunRecord

# The two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom; beyond, the normal distribution's.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL95 = 1.960


@dataclass(frozen=True)
class Spread:
    """A mean over runs, and their standard deviation (n − 1 in the denominator); None for a single run."""

    mean: float
    std: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """Return the spread of some numbers, None where there are none."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None) if values else None


@dataclass(frozen=True)
class SettingResult:
    """What the runs of one setting came to. `within_noise` says that the best setting is not shown to be better."""

    setting: Mapping[str, Any]
    runs: tuple[str, ...]
    failed: int
    score: Spread | None
    loss: Spread | None
    evaluated: Spread | None
    evaluated_split: str | None
    epochs: Spread | None
    is_best: bool
    within_noise: bool | None


def compare_settings(groups: Sequence[tuple[Mapping[str, Any], Sequence[RunRecord], int]]) -> list[SettingResult]:
    """Compare settings, each with its runs and the number of those that failed; the order of the runs is the seeds'.

    The best has the highest mean accuracy on the validation images: the test images have no say in a choice.
    """
    scores = [[run.score for run in runs if run.score is not None] for _, runs, _ in groups]
    best = max(range(len(groups)), key=lambda place: mean(scores[place]) if scores[place] else -inf)
    return [
        _result(group, is_best=place == best and bool(scores[best]), within_noise=_within_noise(scores, place, best))
        for place, group in enumerate(groups)
    ]


def _within_noise(scores: Sequence[Sequence[float]], place: int, best: int) -> bool | None:
    """Tell whether a setting's distance from the best may be chance; None where that cannot be told."""
    if place == best or not scores[place]:
        return None
    return not differs(scores[best], scores[place])


def differs(first: Sequence[float], second: Sequence[float]) -> bool:
    """Tell whether two means differ by more than noise, by a t-test at 95 %: False where there are too few runs.

    Runs of the same seeds are compared pair by pair (Student 1908), others by Welch's test (1947).
    """
    if len(first) == len(second):
        distances = [a - b for a, b in zip(first, second, strict=True)]
        return len(distances) > 1 and _exceeds(mean(distances), stdev(distances) / sqrt(len(distances)), len(first) - 1)
    if min(len(first), len(second)) < 2:
        return False
    shares = [stdev(values) ** 2 / len(values) for values in (first, second)]
    spread = sum(shares)
    parts = [share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)]
    degrees = spread**2 / sum(parts) if spread else 1.0
    return _exceeds(mean(first) - mean(second), sqrt(spread), int(degrees))


def _exceeds(distance: float, error: float, degrees: int) -> bool:
    return abs(distance) > error * (_T95[degrees - 1] if degrees <= len(_T95) else _NORMAL95)


def _result(
    group: tuple[Mapping[str, Any], Sequence[RunRecord], int], *, is_best: bool, within_noise: bool | None
) -> SettingResult:
    setting, runs, failed = group
    best_epochs = [run.best for run in runs if run.best]
    evaluations = [run.evaluation for run in runs if run.evaluation]
    splits = {evaluation.split for evaluation in evaluations}
    return SettingResult(
        setting=setting,
        runs=tuple(run.path for run in runs),
        failed=failed,
        score=Spread.of([run.score for run in runs if run.score is not None]),
        loss=Spread.of([epoch.monitored_loss for epoch in best_epochs]),
        evaluated=Spread.of([evaluation.accuracy for evaluation in evaluations]) if len(splits) == 1 else None,
        evaluated_split=splits.pop() if len(splits) == 1 else None,
        epochs=Spread.of([float(len(run.history)) for run in runs]),
        is_best=is_best,
        within_noise=within_noise,
    )
