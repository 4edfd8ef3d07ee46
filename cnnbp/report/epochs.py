"""The epochs as they pass: a bar for the one under way, then a row; a plain line where there is no terminal."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Protocol

from rich.console import Console

from cnnbp.config import TrainConfig
from cnnbp.report.console import printable
from cnnbp.report.formatting import format_count
from cnnbp.training.concerns import Concern
from cnnbp.training.loop import EpochEvent, Event, StepEvent, ValidationEvent
from cnnbp.training.state import EpochMetrics, best_epoch

_WIDTHS = {
    "epoch": 5,
    "train loss": 10,
    "val loss": 8,
    "val acc": 7,
    "lr": 8,
    "‖∂L/∂θ‖": 7,
    "‖Δθ‖/‖θ‖": 9,
    "images/s": 8,
    "": 4,
}
_GOES_FIRST = ("images/s", "‖Δθ‖/‖θ‖", "lr", "‖∂L/∂θ‖", "train loss")  # where a terminal is too narrow for all


class Shows(Protocol):
    """A bar, wherever it is."""

    def show(self, what: str, done: int, total: int, note: Callable[[], str] = str) -> None:
        """Say that `done` of `total` is done."""


class EpochRows:
    """Shows a run's events on the console that `bar` is on."""

    def __init__(
        self, rules: TrainConfig, images: int, history: Sequence[EpochMetrics], console: Console, bar: Shows
    ) -> None:
        """`images` are trained on in an epoch; `history` are the epochs that are over already."""
        self.epochs, self.keep = rules.epochs, rules.keep
        self.images, self.console, self.bar = images, console, bar
        self.best = best_epoch(history, rules.keep)
        self.concerns: dict[tuple[str, str], Concern] = {}  # the first of each kind and place
        self._widths = {**_WIDTHS, "epoch": max(len("epoch"), 2 * len(str(rules.epochs)) + 1)}
        self._has_header = False
        self._begin()

    def _begin(self) -> None:
        self._total, self._seen, self._began = 0.0, 0, monotonic()

    def show(self, event: Event) -> None:
        """Show what just happened."""
        match event:
            case StepEvent():
                self._step(event)
            case ValidationEvent():
                self.bar.show(f"epoch {event.epoch}/{self.epochs} validation", event.done, event.total)
            case EpochEvent():
                self._row(event)
                for concern in event.concerns:
                    self._warn(concern)
                self._begin()

    def _step(self, event: StepEvent) -> None:
        self._total += event.loss * event.images
        self._seen += event.images
        self.bar.show(f"epoch {event.epoch}/{self.epochs}", event.done, self.images, self._note)

    def _note(self) -> str:
        rate = self._seen / max(monotonic() - self._began, 1e-9)
        return f"loss {self._total / self._seen:.4f}  {format_count(rate)} images/s"

    def _row(self, event: EpochEvent) -> None:
        before = [self.best] if self.best else []
        self.best = best_epoch([*before, event.metrics], self.keep)
        is_best = self.best is event.metrics
        cells = self._cells(event, is_best)
        if not self.console.is_terminal:
            line = "  ".join(f"{header} {cell}".strip() for header, cell in cells.items() if cell)
            self.console.print(line, soft_wrap=True)
            return
        if not self._has_header:
            self.console.print()
            self.console.print(self._aligned({header: header for header in cells}), style="bold")
            self._has_header = True
        self.console.print(self._aligned(cells), style="green" if is_best else "")

    def _aligned(self, cells: Mapping[str, str]) -> str:
        """Put cells under each other, closer together or without some where the terminal is narrow."""
        shown, room = dict(self._widths), self.console.width
        gap = 2 if _line_width(shown, 2) <= room else 1
        for header in _GOES_FIRST:
            if _line_width(shown, gap) > room:
                del shown[header]
        return (gap * " ").join(cells[header].rjust(width) for header, width in shown.items())

    def _cells(self, event: EpochEvent, is_best: bool) -> dict[str, str]:
        metrics = event.metrics
        cells = [
            f"{metrics.epoch}/{self.epochs}",
            f"{metrics.train_loss:.4f}",
            "" if metrics.val_loss is None else f"{metrics.val_loss:.4f}",
            "" if metrics.val_accuracy is None else f"{metrics.val_accuracy:.1%}",
            f"{metrics.lr:.2e}",
            f"{metrics.grad_norm:.3g}",
            f"{metrics.update_ratio:.1e}",
            format_count(event.images_per_second),
            "best" if is_best else "",
        ]
        return dict(zip(_WIDTHS, cells, strict=True))

    def _warn(self, concern: Concern) -> None:
        key = (concern.kind, concern.where)
        if key not in self.concerns:
            self.concerns[key] = concern
            self.console.print(f"warning: {described(concern)}", style="yellow")


def described(concern: Concern) -> str:
    """Write a concern in one line."""
    where = f" in {printable(concern.where)}" if concern.where else ""
    return f"{concern.kind}{where}, epoch {concern.epoch}: {concern.reason}"


def _line_width(widths: Mapping[str, int], gap: int) -> int:
    return sum(widths.values()) + gap * (len(widths) - 1)
