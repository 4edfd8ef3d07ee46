"""Figures as PNG or SVG files. matplotlib is loaded only when one is drawn, and needs no display."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbp.engine.machine import warnings_filtered
from cnnbp.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, in inches, that arranges its parts itself; no setting of the user's makes it another."""
    os.environ.pop("MPLBACKEND", None)  # no Figure needs one, and with one that is not there the import fails
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcdefaults()
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as SVG where the suffix says so, else as PNG, whole or not at all.

    A letter that no font here has becomes a box, without a warning.
    """
    _allow_further_fonts(figure)
    kind = "svg" if path.suffix == ".svg" else "png"
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    boxes = warnings_filtered("ignore", UserWarning, message=r"Glyph .* missing from font")
    with written_whole(path) as file, boxes:
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
