"""Arrays in the place of an image folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cnnbp.api import given
from cnnbp.api.given import Layout
from cnnbp.arrays import Array
from cnnbp.config import Config, DataConfig, check_against_classes
from cnnbp.data.decode import ImageFormat
from cnnbp.data.duplicates import digest
from cnnbp.data.folder import Files, ImageFolder
from cnnbp.data.store import ImageSet
from cnnbp.errors import ConfigError, DataError
from cnnbp.inspect.images import class_names
from cnnbp.training.datasets import Datasets, divided
from cnnbp.training.known import KnownImages
from cnnbp.training.loading import drawing

Labelled = tuple[ArrayLike, ArrayLike]  # images and their classes


def image_set(x: Array, labels: Array, name: str) -> ImageSet:
    """Return images (C, H, W, M) as a set; the m-th is called `name[m]`. Floats are kept in float32."""
    pixels = np.ascontiguousarray(x.transpose(3, 0, 1, 2), np.uint8 if x.dtype == np.uint8 else np.float32)
    given.require_finite(pixels, name)  # float64 holds numbers that float32 does not
    return ImageSet(
        ImageFormat(*x.shape[:3]),
        pixels,
        labels,
        tuple(f"{name}[{m}]" for m in range(len(labels))),
        Files(Path(), ()),
        np.array([digest(image) for image in pixels], np.uint64),
        held=np.ones(len(labels), np.bool_),
    )


def array_datasets(
    config: Config,
    x: ArrayLike,
    y: ArrayLike,
    validation: Labelled | float | None,
    layout: Layout,
    classes: Sequence[str] | None,
) -> Datasets:
    """Divide arrays as a folder is divided: `validation` are other ones, or the share of each class that validates.

    Raises ConfigError for classes that do not suit the network; ShapeError and DataError for arrays that do not fit.
    """
    names = tuple(classes) if classes is not None else tuple(class_names(config))
    check_against_classes(config, names)
    if len(set(names)) < len(names):
        raise ConfigError(f"two classes have the same name: {', '.join(names)}")
    sets = {"train": _images(config, x, y, layout, len(names), ("x", "y"))}
    data = config.data or DataConfig()
    if isinstance(validation, tuple):
        sets["val"] = _images(config, *validation, layout, len(names), ("validation x", "validation y"))
    elif validation is not None:
        data = data.model_copy(update={"validation": _share(validation), "fold": None})
    if config.data and config.data.augment and sets["train"].pixels.dtype != np.uint8:
        raise DataError("data.augment changes pixels: x is to be uint8, 0…255, or the configuration without it")
    folder = ImageFolder(Path("arrays"), names, {}, (), {}, {})
    return divided(folder, sets, drawing(data, names, sets), config.seed, KnownImages.none())


def _images(
    config: Config, x: ArrayLike, y: ArrayLike, layout: Layout, classes: int, called: tuple[str, str]
) -> ImageSet:
    batch = given.images(x, config.network.input_shape, layout, called[0])
    return image_set(batch, given.labels(y, batch.shape[-1], classes, called[1]), called[0])


def _share(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(f"validation is {value!r}; images and classes (x, y) are needed, or a share below 1")
    return float(value)
