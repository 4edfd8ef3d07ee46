"""Hints from the size of the wrong entries: a constant factor, the sign, nothing at all, a cast."""

import numpy as np

from cnnbp.gradcheck.diagnosis.pattern import Pattern

_MEANINGS = {  # symbol → what it means to be too large by it, and to be divided by it
    "M": ("the 1/M of the mean is missing", "a mean over the images where their sum is due (1/M enters once, in L)"),
    "N": ("the 1/N of a mean over the first axis is missing", "a mean over the first axis where a sum is due"),
    "H·W": ("the 1/(H·W) of the average is missing", "a mean over all places where their sum is due"),
    "kH·kW": ("the 1/(kH·kW) of the average is missing", "divided by the kernel's places once more"),
    "kH": ("divided by one side of the kernel instead of both", "divided by a side of the kernel once more"),
    "kW": ("divided by one side of the kernel instead of both", "divided by a side of the kernel once more"),
    "K": ("multiplied by the number of outputs", "divided by the number of outputs, too"),
    "1 − p": ("1/(1 − p) is missing", "divided by the kept share 1 − p once more"),
    "2": ("added twice", "a factor 2 is missing, as of a square"),
}
FLOAT32 = 2.0**-23  # its relative rounding, at most


def zero_everywhere(pattern: Pattern) -> str | None:
    """Backward gives nothing where there is something."""
    if pattern.analytic.any():
        return None
    return "zero everywhere: never computed, or not passed on"


def wrong_sign(pattern: Pattern) -> str | None:
    """The right numbers, negated."""
    return "the sign is turned round" if pattern.explained_by(-pattern.analytic) else None


def cast_to_float32(pattern: Pattern) -> str | None:
    """Every number is one that float32 has, and off by no more than its rounding."""
    analytic, known = pattern.analytic, pattern.known
    off = np.abs(analytic - pattern.numeric)[known]
    is_single = np.array_equal(analytic.astype(np.float32).astype(np.float64), analytic)
    if is_single and (off <= FLOAT32 * np.abs(pattern.numeric[known]) + pattern.slack[known]).all():
        return "noise of 6e-8 of each number: it went through float32"
    return None


def constant_ratio(pattern: Pattern) -> str | None:
    """Wrong by one factor everywhere; known sizes are named."""
    where = np.nanargmax(np.where(pattern.wrong, np.abs(pattern.numeric), np.nan))
    numeric = pattern.numeric.flat[where]
    ratio = float(pattern.analytic.flat[where] / numeric) if abs(numeric) > pattern.bound.flat[where] else 0.0
    if ratio == 0 or not pattern.explained_by(pattern.analytic / ratio):
        return None
    if name := _named(ratio, pattern.sizes, pattern.exactness):
        return name
    if abs(ratio - 1) < 1e-3:
        return f"{ratio:.9g} times too large: a constant is slightly off"
    return f"{ratio:.4g} times what it should be, everywhere" if pattern.known.sum() > 1 else None


def _named(ratio: float, sizes: dict[str, float], exactness: float) -> str | None:
    """Say what a factor may be: the first known size that it, or its inverse, is equal to."""
    sizes = {symbol: value for symbol, value in {**sizes, "2": 2.0}.items() if value != 1}
    if "1 − p" in sizes and abs(ratio / sizes["1 − p"] - 1) < exactness:
        return "1/(1 − p) is missing"
    times = [symbol for symbol, value in sizes.items() if abs(ratio / value - 1) < exactness]
    parts = [symbol for symbol, value in sizes.items() if abs(ratio * value - 1) < exactness]
    if times:
        return f"{_number(times, ratio)} times too large: {_meanings(times, 0)}"
    if parts:
        return f"1/{_number(parts, 1 / ratio)} of what it should be: {_meanings(parts, 1)}"
    return None


def _number(symbols: list[str], value: float) -> str:
    names = " or ".join(symbol for symbol in symbols if symbol != "2")
    return f"{value:.4g}" + (f" ({names})" if names else "")


def _meanings(symbols: list[str], which: int) -> str:
    return ", or ".join(dict.fromkeys(_MEANINGS[symbol][which] for symbol in symbols))


def ratio_per_channel(pattern: Pattern) -> str | None:
    """A factor of its own for each index of the first axis."""
    name = pattern.axes[0]
    if name not in ("channel", "filter", "unit", "feature") or pattern.numeric.ndim < 2:
        return None
    columns = zip(pattern.analytic, pattern.numeric, pattern.bound, strict=True)
    ratios = np.array([_ratio(analytic, numeric, bound) for analytic, numeric, bound in columns])
    if np.isnan(ratios).any() or not ratios.all():
        return None
    if pattern.explained_by(pattern.analytic / ratios.reshape(-1, *(1,) * (pattern.numeric.ndim - 1))):
        off = ratios[np.abs(ratios - 1) > 1e-7]
        if len(off) < len(ratios):  # only_some_channels names them
            return None
        return f"a factor of its own for each {name}, {off.min():.7g} to {off.max():.7g}"
    return None


def _ratio(analytic: np.ndarray, numeric: np.ndarray, bound: np.ndarray) -> float:
    """Return the ratio at the largest checked entry, NaN where there is none that is known not to be 0."""
    size = np.where(np.isnan(numeric), 0, np.abs(numeric))
    where = int(size.argmax())
    return float(analytic.flat[where] / numeric.flat[where]) if size.flat[where] > bound.flat[where] else np.nan


def integer_multiples(pattern: Pattern) -> str | None:
    """Right numbers, some of them twice, three times or not at all."""
    known = pattern.known & (np.abs(pattern.numeric) > pattern.slack)
    analytic, numeric = pattern.analytic[known], pattern.numeric[known]
    larger, smaller = analytic / numeric, np.divide(numeric, analytic, out=np.zeros_like(numeric), where=analytic != 0)
    for ratios, said in ((larger, "too large"), (smaller, "too small")):
        whole = np.round(ratios)
        if whole.max(initial=0) > 1 and (np.abs(ratios - whole) <= 1e-7 * np.maximum(whole, 1)).all():
            times = ", ".join(f"{n:g}" for n in np.unique(whole[whole > 1])[:4])
            return f"some are {times} times {said}: ties, or overlapping windows"
    return None


def nothing_where_something(pattern: Pattern) -> str | None:
    """Zero at every wrong entry, or something at entries that are exactly zero."""
    analytic, numeric = pattern.analytic[pattern.wrong], pattern.numeric[pattern.wrong]
    if not analytic.any():
        return "right, but for entries that are 0 and should not be"
    if not numeric.any():
        return "right, but for entries that should be 0 and are not"
    return None
