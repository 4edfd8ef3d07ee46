"""Loss and accuracy over the epochs, drawn in the terminal: training as a line, validation as dots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from cnnbp.training.metrics import EpochMetrics

_WIDEST, _HEIGHT = 100, 15  # characters, frame and title included
_X_TICKS, _Y_TICKS = 6, 4


@dataclass(frozen=True)
class _Marks:
    """What the curves are drawn with: `line` is plotext's name for it."""

    line: str
    line_sample: str
    dot: str


_BRAILLE = _Marks("braille", "⣀⠤⠒", "○")
_ASCII = _Marks(".", "...", "o")


@dataclass(frozen=True)
class _Curve:
    title: str
    train: Sequence[float]
    validation: Sequence[float | None]
    label: Callable[[float], str]


def draw_curves(history: Sequence[EpochMetrics], console: Console) -> None:
    """Draw the loss and the accuracy, one below the other; a single epoch makes no curve."""
    if len(history) < 2:
        return
    epochs = [metrics.epoch for metrics in history]
    loss = _Curve("loss", [m.train_loss for m in history], [m.val_loss for m in history], "{:.3g}".format)
    accuracy = _Curve(
        "accuracy", [m.train_accuracy for m in history], [m.val_accuracy for m in history], "{:.1%}".format
    )
    for curve in (loss, accuracy):
        console.print(_drawn(epochs, curve, console))


def _drawn(epochs: Sequence[int], curve: _Curve, console: Console) -> Text:
    from plotext import figure  # loaded only when a curve is drawn

    marks = _ASCII if console.options.ascii_only else _BRAILLE
    validation = [(epoch, y) for epoch, y in zip(epochs, curve.validation, strict=True) if y is not None]
    figure.clear()
    figure.plot_size(min(console.width, _WIDEST), _HEIGHT)
    figure.title(f"{curve.title}   {marks.line_sample} train" + f"   {marks.dot} validation" * bool(validation))
    figure.draw(figure.signal(epochs, curve.train, marker=marks.line).lines())
    if validation:
        figure.draw(figure.signal(*map(list, zip(*validation, strict=True)), marker=marks.dot))
    figure.ruler("x").ticks(_whole_ticks(epochs))
    heights = _even_ticks([*curve.train, *(y for _, y in validation)])
    figure.ruler("y").ticks(heights, [curve.label(height) for height in heights])
    text = Text(figure.build().string(colorless=True))
    text.highlight_regex("[⠁-⣿]+", "cyan")
    text.highlight_regex("○", "yellow")
    return text


def _whole_ticks(epochs: Sequence[int]) -> list[int]:
    """Return a handful of epochs, the first and the last among them."""
    count = min(_X_TICKS, len(epochs))
    return [epochs[round(i * (len(epochs) - 1) / (count - 1))] for i in range(count)]


def _even_ticks(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [low + (high - low) * i / (_Y_TICKS - 1) for i in range(_Y_TICKS)] if high > low else [low]
