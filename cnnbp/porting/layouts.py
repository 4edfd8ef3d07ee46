"""How arrays lie in a file: cnnbp's own way, the batch as the last axis, or with the batch first, as PyTorch has it.

A convolution's W is (filters, C/groups, kH, kW) and a dense layer's (units, features) either way. An image's feature
maps are flattened in the order C, H, W either way, so the columns of a dense W after a flatten are the same ones, too.
"""

from enum import StrEnum

import numpy as np

from cnnbp.arrays import Array

Axes = tuple[str, ...]  # what the axes of an array are called, in cnnbp's own layout

IMAGE = "image"  # the axis of the batch


class Layout(StrEnum):
    """Feature maps are (C, H, W, M) in `chwm`, (M, C, H, W) in `nchw`; every other array of the batch alike."""

    CHWM = "chwm"
    NCHW = "nchw"

    def axes(self, axes: Axes) -> Axes:
        """Return the names of an array's axes in this layout."""
        others = tuple(name for name in axes if name != IMAGE)
        return (IMAGE, *others) if self is Layout.NCHW and IMAGE in axes else axes

    def arranged(self, array: Array, axes: Axes) -> Array:
        """Return an array of cnnbp's own layout in this one, C-contiguous."""
        return np.asarray(array.transpose([axes.index(name) for name in self.axes(axes)]), order="C")


def batch_last(array: Array, axes: Axes) -> Array:
    """Return an array with these axes in cnnbp's own layout, C-contiguous."""
    return np.asarray(np.moveaxis(array, axes.index(IMAGE), -1) if IMAGE in axes else array, order="C")
