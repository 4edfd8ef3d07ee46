"""The picture of a gradient check: every entry against its bound, where the wrong ones are, and the choice of h."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck import GradcheckReport, TensorResult
from cnnbp.gradcheck.comparison import Verdict
from cnnbp.gradcheck.curves import StepCurve, by_gravity, curved, step_curve
from cnnbp.report.console import printable
from cnnbp.report.figures import new_figure, save_figure, with_own_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Named = tuple[str, TensorResult]

_COLOURS = {Verdict.PASS: "#2a7f9e", Verdict.ZERO: "#9aa5ab", Verdict.INCONCLUSIVE: "#e0a100", Verdict.FAIL: "#d1344b"}
_WORDS = {Verdict.PASS: "pass", Verdict.ZERO: "zero", Verdict.INCONCLUSIVE: "inconclusive", Verdict.FAIL: "fail"}
_MOST_TENSORS, _MOST_TILES = 24, 64
_FLOOR = 1e-17  # below, a difference is drawn as if it were this


@with_own_settings
def save_gradcheck(report: GradcheckReport, path: Path) -> None:
    """Draw the check of a network or a layer."""
    everything = by_gravity(report)
    tensors = everything[:_MOST_TENSORS]
    figure = new_figure(12, 8)
    blame = f"   {', '.join(map(_plain, report.blame))}" if report.blame else ""
    figure.suptitle(f"gradcheck: {report.verdict.upper()}{blame}", fontsize=14, fontweight="bold", x=0.02, ha="left")
    above, below = figure.subfigures(2, 1, height_ratios=(5, 4), squeeze=False).flat
    strips = above.subplots()
    _draw_entries(strips, tensors)
    left_out = f"; the first {len(tensors)} of {len(everything)} tensors" if len(everything) > len(tensors) else ""
    strips.set_title(f"every checked entry, and the bound that it is held to{left_out}", loc="left", fontsize=11)
    curve, places = below.subplots(1, 2, width_ratios=(3, 2))
    name, tensor = curved(report)
    _draw_curve(curve, step_curve(name, tensor), tensor.verdict)
    _draw_map(places, *_with_places(tensors))
    save_figure(figure, path)


def _draw_entries(axes: "Axes", tensors: Sequence[Named]) -> None:
    """Draw |analytic − numeric| of every checked entry, and its bound as a dash, a strip for each tensor."""
    for strip, (_, tensor) in enumerate(tensors):
        assert tensor.finding is not None
        comparison = tensor.finding.comparison
        x = strip + np.linspace(-0.36, 0.36, len(comparison.entries)) * (len(comparison.entries) > 1)
        off = np.maximum(np.abs(comparison.analytic - comparison.numeric), _FLOOR)
        bound = np.maximum(comparison.bound, _FLOOR)
        axes.scatter(x, bound, s=26, marker="_", color="#333333", alpha=0.35, linewidths=1)
        for verdict, colour in _COLOURS.items():
            here = comparison.verdicts == verdict
            size = 9 if verdict == Verdict.PASS else 14
            axes.scatter(x[here], off[here], s=size, color=colour, alpha=0.75, linewidths=0)
    for verdict, colour in _COLOURS.items():
        axes.scatter([], [], s=22, color=colour, label=_WORDS[verdict])
    axes.scatter([], [], s=40, marker="_", color="#333333", label="bound")
    axes.set_yscale("log")
    axes.set_xticks(range(len(tensors)), [_plain(name) for name, _ in tensors], rotation=30, ha="right", fontsize=9)
    axes.set_xlim(-0.6, len(tensors) - 0.4)
    axes.set_ylabel("|analytic − numeric|")
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(ncols=5, fontsize=8, loc="upper right", bbox_to_anchor=(1, 1.12), frameon=False)


def _draw_curve(axes: "Axes", curve: StepCurve, verdict: str) -> None:
    """Draw the error of a difference against its step."""
    for errors, label, colour in (
        (curve.central, "central difference, h", "#2a7f9e"),
        (curve.richardson, "Richardson, h and h/2", "#7a4fa3"),
    ):
        axes.plot(curve.h, np.maximum(errors, _FLOOR), ".-", color=colour, label=label, markersize=4, linewidth=1.2)
    if curve.crossed.any():
        crossed = np.maximum(curve.central, _FLOOR)[curve.crossed]
        axes.plot(curve.h[curve.crossed], crossed, "o", mfc="none", color="#e0a100", markersize=7, label="meets a kink")
    axes.axvline(curve.chosen, color="#333333", linestyle="--", linewidth=1, label=f"chosen h = {_power(curve.chosen)}")
    if curve.off > _FLOOR:
        colour = _COLOURS[Verdict.FAIL if verdict == "fail" else Verdict.ZERO]
        axes.axhline(curve.off, color=colour, linewidth=1.2, label=f"backward is off by {curve.off:.1e}")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("h")
    axes.set_ylabel("error")
    axes.set_title(f"{_plain(curve.name)}{list(curve.index)}: the error against h", loc="left", fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def _with_places(tensors: Sequence[Named]) -> Named:
    """Return a tensor that has rows and columns: the wrong one with most entries, a kernel before a map."""
    kernels = [named for named in tensors if len(named[1].shape) == 4 and named[1].pattern.axis("filter") == 0]
    maps = [named for named in tensors if len(named[1].shape) == 4]
    wrong = sorted((named for named in kernels if named[1].failed), key=lambda named: -named[1].checked)
    wrong += [named for named in maps if named[1].failed]
    return next(iter([*wrong, *kernels, *maps, *tensors]))


def _draw_map(axes: "Axes", name: str, tensor: TensorResult) -> None:
    """Draw which entries are right and wrong, a tile for each filter and channel (or channel and image)."""
    from matplotlib.colors import ListedColormap

    states, (down, across) = _states(tensor), _named_axes(tensor)
    if states.shape[0] > states.shape[1]:  # the picture is wide
        states, down, across = states.swapaxes(0, 1), across, down
    sheet, rows, columns = _sheet(states)
    axes.imshow(sheet, cmap=ListedColormap(["white", "#e7eaec", *_COLOURS.values()]), vmin=-2, vmax=3, aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(_count(columns, across))
    axes.set_ylabel(_count(rows, down))
    axes.set_title(f"{_plain(name)}: {tensor.failed:,} of {tensor.checked:,} wrong", loc="left", fontsize=11)
    axes.spines[:].set_visible(False)


def _states(tensor: TensorResult) -> Array:
    """Return each entry's verdict, −1 where it was not checked: (tiles down, tiles across, rows, columns)."""
    assert tensor.finding is not None
    comparison = tensor.finding.comparison
    states = np.full(tensor.shape, -1)
    states.reshape(-1)[comparison.entries] = comparison.verdicts
    pattern = tensor.pattern
    row, column = pattern.axis("row"), pattern.axis("column")
    if states.ndim == 4 and row is not None and column is not None:
        rest = [axis for axis in range(4) if axis not in (row, column)]
        return states.transpose(*rest, row, column)
    return states.reshape(1, 1, len(states), -1)


def _named_axes(tensor: TensorResult) -> tuple[str, str]:
    axes = [name for name in tensor.pattern.axes if name not in ("row", "column")]
    return (axes[0], axes[1]) if len(axes) == 2 and len(tensor.shape) == 4 else ("block", "block")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


def _sheet(tiles: Array) -> tuple[Array, int, int]:
    """Lay tiles (down, across, h, w) out, a white line between them; return the sheet and how many there are."""
    tiles = tiles[:_MOST_TILES, :_MOST_TILES]
    down, across, height, width = tiles.shape
    sheet = np.full((down * (height + 1) - 1, across * (width + 1) - 1), -2)
    for i, j in np.ndindex(down, across):
        sheet[i * (height + 1) : i * (height + 1) + height, j * (width + 1) : j * (width + 1) + width] = tiles[i, j]
    return sheet, down, across


def _power(h: float) -> str:
    exponent = np.log2(h)
    return f"$2^{{{exponent:.0f}}}$" if exponent else "1: exact, it is affine"


def _plain(name: str) -> str:
    return printable(name).replace("$", r"\$")
