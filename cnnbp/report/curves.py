"""Curves in the terminal: what can be told apart without colour, a line from dots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, log10
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.training.state import EpochMetrics

_WIDEST, _HEIGHT = 100, 15  # characters, frame and title included
_X_TICKS, _Y_TICKS = 8, 5
_FAR_APART = 30.0  # times: beyond, losses are drawn by their logarithms
_BETWEEN_DOTS = 4  # columns: closer ones would hide the line


@dataclass(frozen=True)
class _Marks:
    """What the curves are drawn with: `line` is plotext's name for it."""

    line: str
    line_sample: str
    dot: str


_BRAILLE = _Marks("braille", "⣀⠤⠒", "○")
_ASCII = _Marks(".", "...", "o")


@dataclass(frozen=True)
class Plot:
    """A line over some x, and dots on the same axes (none where they are None); how both axes are labelled."""

    title: str
    xs: Sequence[float]
    line: Sequence[float]
    line_name: str
    dots: Sequence[float | None]
    dots_name: str
    x_label: Callable[[float], str]
    y_label: Callable[[float], str]
    logarithmic: bool = False  # whether `line` and `dots` are exponents of ten


@dataclass(frozen=True)
class Curve:
    """A curve among others, drawn with a mark of its own."""

    mark: str
    xs: Sequence[int]
    ys: Sequence[float]


def draw_curves(history: Sequence[EpochMetrics], console: Console) -> None:
    """Draw the loss and the accuracy, one below the other; a single epoch makes no curve."""
    if len(history) < 2:
        return
    epochs = [metrics.epoch for metrics in history]
    draw = partial(_over_epochs, epochs=epochs, console=console)
    _draw_loss([m.train_loss for m in history], [m.val_loss for m in history], draw)
    draw("accuracy", [m.train_accuracy for m in history], [m.val_accuracy for m in history], "{:.1%}".format)


def spans_decades(losses: Sequence[float | None]) -> bool:
    """Tell whether losses are so far apart that only a logarithmic scale shows them all."""
    known = [loss for loss in losses if loss is not None]
    return min(known) > 0 and max(known) / min(known) > _FAR_APART


def _draw_loss(train: Sequence[float], validation: Sequence[float | None], draw: Callable[..., None]) -> None:
    if not spans_decades([*train, *validation]):
        draw("loss", train, validation, "{:.3g}".format)
        return
    logs = [None if loss is None else log10(loss) for loss in validation]
    exponents = [log10(loss) for loss in train]
    draw("loss, logarithmic", exponents, logs, lambda exponent: f"{10**exponent:.3g}", logarithmic=True)


def _over_epochs(
    title: str,
    train: Sequence[float],
    validation: Sequence[float | None],
    y_label: Callable[[float], str],
    *,
    epochs: Sequence[int],
    console: Console,
    logarithmic: bool = False,
) -> None:
    draw_plot(
        Plot(title, epochs, train, "train", validation, "validation", "{:g}".format, y_label, logarithmic), console
    )


def draw_plot(plot: Plot, console: Console) -> None:
    """Print a plot as wide as the terminal, up to a hundred columns."""
    from plotext import figure  # loaded only when a curve is drawn

    marks = _ASCII if console.options.ascii_only else _BRAILLE
    width = min(console.width, _WIDEST)
    dots = _thinned([(x, y) for x, y in zip(plot.xs, plot.dots, strict=True) if y is not None], width)
    figure.clear()
    figure.plot_size(width, _HEIGHT)
    legend = f"   {marks.dot} {plot.dots_name}" if dots else ""
    figure.title(f"{plot.title}   {marks.line_sample} {plot.line_name}{legend}")
    figure.draw(figure.signal(plot.xs, plot.line, marker=marks.line).lines())
    if dots:
        figure.draw(figure.signal(*map(list, zip(*dots, strict=True)), marker=marks.dot))
    _set_ticks(figure.ruler("x"), round_ticks(plot.xs, _X_TICKS, smallest=1), plot.x_label)
    _set_ticks(figure.ruler("y"), _y_ticks([*plot.line, *(y for _, y in dots)], plot.logarithmic), plot.y_label)
    text = Text(figure.build().string(colorless=True))
    text.highlight_regex("[⠁-⣿]+", "cyan")
    text.highlight_regex("○", "yellow")
    console.print(text)


def draw_overlaid(title: str, curves: Sequence[Curve], console: Console) -> None:
    """Print curves over one another, each by its mark; losses far apart by their logarithms."""
    from plotext import figure  # loaded only when a curve is drawn

    values = [y for curve in curves for y in curve.ys]
    logarithmic = spans_decades(values)
    figure.clear()
    figure.plot_size(min(console.width, _WIDEST), _HEIGHT)
    figure.title(f"{title}{', logarithmic' if logarithmic else ''}")
    for curve in curves:
        ys = [log10(y) for y in curve.ys] if logarithmic else curve.ys
        figure.draw(figure.signal(curve.xs, ys, marker=curve.mark).lines())
    longest = max((curve.xs for curve in curves), key=len)
    _set_ticks(figure.ruler("x"), round_ticks(longest, _X_TICKS, smallest=1), "{:g}".format)
    heights = [log10(y) for y in values] if logarithmic else values
    label = (lambda y: f"{10**y:.3g}") if logarithmic else "{:.3g}".format
    _set_ticks(figure.ruler("y"), _y_ticks(heights, logarithmic), label)
    console.print(Text(figure.build().string(colorless=True)))


def _thinned(dots: Sequence[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """Return every n-th dot, the last one among them, so that they do not touch in `width` columns."""
    every = -(-len(dots) * _BETWEEN_DOTS // width)
    return list(dots[::-1][:: max(every, 1)])[::-1]


def _set_ticks(ruler: Any, places: Sequence[float], label: Callable[[float], str]) -> None:
    ruler.ticks(places, [label(place) for place in places])


def _y_ticks(values: Sequence[float], logarithmic: bool) -> list[float]:
    """Return round numbers in the values' range: of exponents of ten whole ones, or those of 1, 2 and 5."""
    if not logarithmic:
        return round_ticks(values, _Y_TICKS)
    low, high = min(values), max(values)
    decades = [float(n) for n in range(ceil(low), floor(high) + 1)]
    between = [log10(f) + n for n in range(floor(low), ceil(high)) for f in (1, 2, 5)]
    return decades if len(decades) > 1 else [y for y in between if low <= y <= high] or [low, high]


def round_ticks(values: Sequence[float], most: int, *, smallest: float = 0.0) -> list[float]:
    """Return up to `most` multiples of 1, 2 or 5 times a power of ten, from the least to the largest value.

    Steps are at least `smallest`. A single value is its own tick.
    """
    low, high = min(values), max(values)
    if low == high:
        return [low]
    exponent = floor(log10((high - low) / most))
    steps = (factor * 10.0**power for power in range(exponent, exponent + 3) for factor in (1, 2, 5))
    for step in steps:
        first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
        if step >= smallest and last - first < most:
            return [n * step for n in range(first, last + 1)] or [low, high]
    return [low, high]
