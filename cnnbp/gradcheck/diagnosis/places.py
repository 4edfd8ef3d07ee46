"""Hints from where the wrong entries are: at the border, in some channels, in one image, at kinks."""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.pattern import Pattern


def a_single_entry(pattern: Pattern) -> str | None:
    """One wrong entry among right ones."""
    if pattern.wrong.sum() != 1 or pattern.known.sum() < 3:
        return None
    [index] = np.argwhere(pattern.wrong).tolist()
    shown = [i for i, name in zip(index, pattern.axes, strict=False) if name != "copy"]
    return f"a single entry is wrong: {shown}"


def only_at_kinks(pattern: Pattern) -> str | None:
    """Wrong nowhere but where a kink was met."""
    right_off_kinks = bool((pattern.known & ~pattern.kink).any())
    if (pattern.wrong & ~pattern.kink).any() or not right_off_kinks:
        return None
    return "wrong only at kinks: another side counts there (ReLU′(0) = 0; of tied maxima the first)"


def only_one_image(pattern: Pattern) -> str | None:
    """Wrong in some images, right in others."""
    axis = pattern.axis("image")
    if axis is None:
        return None
    wrong, checked = pattern.wrong_along(axis)
    if len(wrong) == len(checked):
        return None
    return f"wrong only in {_listed('image', wrong)} of {len(checked)}"


def only_some_channels(pattern: Pattern) -> str | None:
    """Wrong in some channels, filters or features, right in others."""
    for name in ("channel", "filter", "unit", "feature"):
        axis = pattern.axis(name)
        if axis is not None:
            wrong, checked = pattern.wrong_along(axis)
            if len(wrong) < len(checked):
                return f"wrong only in {_listed(name, wrong)} of {len(checked)}"
    return None


def only_at_the_end(pattern: Pattern) -> str | None:
    """Wrong from some row or column on, right before: a loop that ends early."""
    for name in ("row", "column"):
        axis = pattern.axis(name)
        if axis is not None:
            wrong, checked = pattern.wrong_along(axis)
            if wrong[0] > checked[0] and wrong[-1] == checked[-1] and len(wrong) == (checked >= wrong[0]).sum():
                return f"right up to {name} {wrong[0] - 1}, wrong from there on: a loop that ends too early"
    return None


def only_at_the_border(pattern: Pattern) -> str | None:
    """Right inside, wrong at the outermost rows or columns."""
    row, column = pattern.axis("row"), pattern.axis("column")
    if row is None or column is None:
        return None
    height, width = pattern.numeric.shape[row], pattern.numeric.shape[column]
    at = np.argwhere(pattern.wrong)[:, [row, column]]
    depth = int(np.minimum(at, [height - 1, width - 1] - at).min(axis=1).max()) + 1  # of the border that holds them
    inside = np.argwhere(pattern.known & ~pattern.wrong)[:, [row, column]]
    is_interior = np.minimum(inside, [height - 1, width - 1] - inside).min(axis=1) >= depth
    if not is_interior.any():
        return None
    return "wrong only at the border: padding, or how it is cropped off"


def _listed(name: str, indices: Array) -> str:
    shown = ", ".join(map(str, indices[:4])) + (", …" if len(indices) > 4 else "")
    return f"{name}{'s' if len(indices) > 1 else ''} {shown}"
