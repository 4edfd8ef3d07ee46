"""Figures as PNG or SVG files. matplotlib is loaded only when one is drawn, and needs no display."""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ParamSpec, TypeVar

from cnnbp.engine.machine import warnings_filtered
from cnnbp.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")

_DOTS_PER_INCH = 120
# What systems bring for Chinese, Japanese and Korean, which matplotlib's own font has not.
_FURTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
)


def with_own_settings(draw: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """Let a function draw alike whatever the user's settings of matplotlib are, and leave them as they were."""

    @wraps(draw)
    def drawing(*args: Given.args, **options: Given.kwargs) -> Drawn:
        matplotlib = _matplotlib()
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            return draw(*args, **options)

    return drawing


def _matplotlib() -> Any:
    """Import it. No Figure needs a backend, and with one that is not there the import fails."""
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib

        if backend and "matplotlib.pyplot" not in sys.modules:
            with suppress(ValueError):
                matplotlib.rcParams["backend"] = backend  # as if it had been there: a notebook's own pictures need it
    finally:
        if backend:
            os.environ["MPLBACKEND"] = backend
    return matplotlib


def new_figure(width: float, height: float, *, arranged: bool = True) -> "Figure":
    """Return an empty figure, in inches, that arranges its parts itself or leaves each where it is put."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained" if arranged else None)


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as SVG where the suffix says so, else as PNG, whole or not at all.

    A letter that no font here has becomes a box, without a warning.
    """
    with written_whole(path) as file:
        write_figure(figure, file, "svg" if path.suffix == ".svg" else "png")


def write_figure(figure: "Figure", file: IO[bytes], kind: str = "png") -> None:
    """Write a figure into an open file."""
    _allow_further_fonts(figure)
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with warnings_filtered("ignore", UserWarning, message=r"Glyph .* missing from font"):
        figure.savefig(file, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)


def _allow_further_fonts(figure: "Figure") -> None:
    """Let text that is not ASCII take letters from fonts that happen to be there."""
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a weight that a font has not is no matter
    here = set(fontManager.get_font_names())
    further = [name for name in _FURTHER_FONTS if name in here]
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *further])
