"""What comes from outside: arrays, labels, numbers and parameters are checked here, before anything else."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.config import Config, require_suitable_outputs
from cnnbp.errors import ConfigError, DataError, ShapeError
from cnnbp.names import unknown
from cnnbp.network import Network
from cnnbp.parameters import Parameters

Layout = Literal["chwm", "nchw", "nhwc", "nhw", "chw", "hwc", "hw"]
"""Where the axes of images are: channels, height, width, and m or n for the batch. Without c they have one channel,
without m or n it is one image."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def checked_config(config: Config) -> Config:
    """Return the configuration; one that was made in Python is held to what a YAML file is held to.

    Raises ConfigError for anything else, and where the last layer does not suit the loss; ShapeError.
    """
    if not isinstance(config, Config):
        raise ConfigError(f"a Config is needed, got {_kind(config)}: cnnbp.load_config(FILE) reads one")
    require_suitable_outputs(config)
    return config


def images(x: ArrayLike, shape: Shape, layout: Layout, name: str = "x") -> Array:
    """Return images as (C, H, W, M), a view where that is possible; `shape` is the (C, H, W) that is needed.

    Raises ShapeError for another shape, DataError for what is neither uint8 nor finite floats, and for none at all.
    """
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    array = _as_array(x, name)
    if not fits(array.shape, shape, layout):
        raise ShapeError(_misfit(array.shape, shape, layout, name))
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise DataError(f"{name} holds {array.dtype}; images are uint8 (pixels, 0…255) or floats: convert it by astype")
    require_finite(array, name)
    return batch_last(array, layout)


def fits(given: Shape, shape: Shape, layout: Layout) -> bool:
    """Tell whether an array of a shape is images of the needed (C, H, W) in a layout."""
    sizes = {"c": 1, "m": 1} | dict(zip(layout.replace("n", "m"), given, strict=False))
    return len(given) == len(layout) and tuple(sizes[axis] for axis in "chw") == shape


def batch_last(array: Array, layout: Layout) -> Array:
    """Return images of a layout as a view (C, H, W, M)."""
    axes = layout.replace("n", "m")
    for missing in "cm":
        if missing not in axes:
            array, axes = array[None], missing + axes
    return array.transpose([axes.index(axis) for axis in "chwm"])


def _misfit(given: Shape, shape: Shape, layout: Layout, name: str) -> str:
    sizes = dict(zip("chw", shape, strict=True)) | {"m": "M", "n": "M"}
    needed = "×".join(str(sizes[axis]) for axis in layout)
    message = f"{name} is {format_shape(given)}; the network reads {needed} (layout={layout!r})"
    others = [other for other in LAYOUTS if fits(given, shape, other)]
    return f"{message}: layout={others[0]!r} would fit" if others else message


def require_finite(array: Array, name: str) -> None:
    """Raise DataError for an array without a number, or with one that is not finite, saying where."""
    if not array.size:
        raise DataError(f"{name} is {format_shape(array.shape)}: there is nothing in it")
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    bad = np.argwhere(~np.isfinite(array))
    place = ", ".join(map(str, bad[0]))
    raise DataError(f"{name}[{place}] is {array[tuple(bad[0])]}: {len(bad)} of {array.size} numbers are not finite")


def labels(y: ArrayLike, count: int, classes: int, name: str = "y") -> NDArray[np.intp]:
    """Return the class index of each of `count` images, (M,). Raises ShapeError for another shape, else DataError."""
    array = _as_array(y, name)
    if array.ndim != 1:
        raise ShapeError(f"{name} is {format_shape(array.shape)}; one class index for each image is needed: ({count},)")
    if array.dtype.kind not in "iu" and array.size:
        raise DataError(f"{name} holds {array.dtype}; class indices are whole numbers: {name}.astype(int)")
    if len(array) != count:
        raise DataError(f"{count} images, but {len(array)} labels in {name}")
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if wrong.size:
        others = f", and {wrong.size - 1} more are wrong" if wrong.size > 1 else ""
        raise DataError(
            f"{name}[{wrong[0]}] is {array[wrong[0]]}; there are {classes} classes, 0 to {classes - 1}{others}"
        )
    return array.astype(np.intp)


def pair(x: ArrayLike | None, y: ArrayLike | None) -> tuple[ArrayLike, ArrayLike] | None:
    """Return images and their classes, None for neither. Raises ConfigError where one is missing."""
    if x is None and y is None:
        return None
    if x is None or y is None:
        raise ConfigError(f"images x and their classes y go together: {'x' if x is None else 'y'} is missing")
    return x, y


def number(value: int, name: str, least: int = 1) -> int:
    """Return a whole number. Raises ConfigError for anything else, and for one below `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name} is {value!r}; a whole number from {least} on is needed")
    return int(value)


def parameters_of(network: Network, given: Parameters) -> Parameters:
    """Return parameters. Raises ConfigError for anything else, ShapeError for another network's, DataError for NaN."""
    if not isinstance(given, Parameters):
        raise ConfigError(
            f"Parameters are needed, got {_kind(given)}: config.network.initial_parameters(seed) makes some"
        )
    needed = {f"{layer}.{name}": shape for layer, each in network.layout.shapes.items() for name, shape in each.items()}
    found = {name: array.shape for name, array in given.named()}
    if found != needed:
        name = next(name for name in {**needed, **found} if found.get(name) != needed.get(name))
        raise ShapeError(
            f"the parameters are another network's: {name} is {_has(found, name)}, here {_has(needed, name)}"
        )
    for name, array in given.named():
        require_finite(array, name)
    return given


def _has(shapes: dict[str, Shape], name: str) -> str:
    return format_shape(shapes[name]) if name in shapes else "not there"


def _as_array(values: Any, name: str) -> Array:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of several lengths; other libraries' own
        raise DataError(f"{name} is no array: {error}") from error


def _kind(value: object) -> str:
    return f"the text {value!r}" if isinstance(value, str) else type(value).__name__
