"""Figures as PNG files. matplotlib is loaded only when one is drawn, and needs no display."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnbp.training.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 120


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, in inches, that arranges its parts itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with written_whole(path) as file:
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
