"""The grid of a sweep: every combination of the values that stand after a key."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from cnnbp.errors import ConfigError
from cnnbp.experiments.records import short_names

_OPENING, _CLOSING, _QUOTES = "[{", "]}", "'\""
_NOT_FOR_A_NAME = re.compile(r"[^\w.+-]+")
_LONGEST_NAME = 120
_MOST_RUNS = 10_000


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: what is changed for it, key by key, its seed, and its fold where there are folds."""

    name: str
    setting: Mapping[str, str]
    seed: int
    fold: tuple[int, int] | None = None  # k of K

    @property
    def overrides(self) -> list[str]:
        """The changes as `cnnbp train` takes them."""
        fold = [f"data.fold=[{self.fold[0]}, {self.fold[1]}]"] if self.fold else []
        return [*(f"{key}={value}" for key, value in self.setting.items()), f"seed={self.seed}", *fold]


def trials_of(
    overrides: Sequence[str], seeds: Sequence[int], folds: int | None = None
) -> tuple[list[str], list[Trial]]:
    """Return the overrides that all runs share, and a trial for each combination of the others, each seed and fold.

    An override whose value has commas outside of brackets and quotes is an axis of the grid. Raises ConfigError where
    two combinations would be called the same, and where there are too many.
    """
    axes = {key: values for key, values in map(_axis, overrides) if len(values) > 1}
    shared = [text for text in overrides if len(_axis(text)[1]) == 1]
    if "seed" in axes:
        raise ConfigError("the seeds of a sweep are given by --seeds N, or by --seed S for the first of them")
    runs = prod(map(len, axes.values())) * len(seeds) * (folds or 1)
    if runs > _MOST_RUNS:
        raise ConfigError(f"a sweep of {runs:,} runs: {_MOST_RUNS:,} are the most; leave values or seeds out")
    short = short_names([*axes])
    trials = [
        Trial(_name({short[key]: value for key, value in setting.items()}, seed, fold), setting, seed, fold)
        for setting in _combinations(axes)
        for seed in seeds
        for fold in ([(k, folds) for k in range(1, folds + 1)] if folds else [None])
    ]
    times = Counter(trial.name for trial in trials)
    twice = next((name for name, count in times.items() if count > 1), None)
    if twice:
        raise ConfigError(f"two runs of the sweep would be called {twice!r}: leave one of the equal values out")
    return shared, trials


def _combinations(axes: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _axis(text: str) -> tuple[str, list[str]]:
    """Split `key=a,b,{c: 1, d: 2}` into its key and its three values."""
    key, _, value = text.partition("=")
    values, depth, quote = [""], 0, ""
    for character in value:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        depth += (not quote and character in _OPENING) - (not quote and character in _CLOSING)
        if character == "," and not depth and not quote:
            values.append("")
        else:
            values[-1] += character
    values = [value.strip() for value in values]
    if len(values) > 1 and not all(values):
        raise ConfigError(f"{text!r} has an empty value between its commas")
    return key, values


def _name(setting: Mapping[str, str], seed: int, fold: tuple[int, int] | None) -> str:
    """Return what a run's folder is called: what differs, in letters that every file system takes."""
    parts = [f"{key}={_NOT_FOR_A_NAME.sub('_', value)}" for key, value in setting.items()]
    name = ",".join([*parts, f"seed={seed}", *([f"fold={fold[0]}of{fold[1]}"] if fold else [])])
    if len(name) > _LONGEST_NAME:
        raise ConfigError(f"the values of this sweep are too long to name its runs by: {name[:_LONGEST_NAME]}…")
    return name
