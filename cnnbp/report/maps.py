"""Pictures of one batch for a slide: feature maps, gradient maps, filters, saliency, Grad-CAM."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cnnbp.arrays import Array
from cnnbp.errors import CheckpointError
from cnnbp.inspect.attention import class_activation, saliency
from cnnbp.inspect.examine import Inspection
from cnnbp.layers.conv import Conv2d
from cnnbp.network import INPUT
from cnnbp.report.console import one_line
from cnnbp.report.figures import new_figure, save_figure, with_own_settings
from cnnbp.report.pictures import save_filters, sheet_of

_MOST_MAPS = 64


def save_maps(inspection: Inspection, image: int, channel: int, folder: Path, suffix: str) -> list[Path]:
    """Write every picture of an image of the batch into a folder, and return the files.

    Of filters with many channels the kernels of number `channel` are drawn. Raises CheckpointError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot write into {str(folder)!r}: {error.strerror}") from error
    written = [*_maps(inspection, image, folder, suffix), *_filters(inspection, channel, folder, suffix)]
    return [*written, *_attention(inspection, image, folder, suffix)]


def _maps(inspection: Inspection, image: int, folder: Path, suffix: str) -> Iterator[Path]:
    for step in (*inspection.forward, *inspection.backward):
        if step.value.ndim == 4 and step.value.shape[-1] == len(inspection.images) and step.symbol != "X":
            name = step.symbol.replace("∂L/∂", "dL-d").replace("′", "'")
            path = folder / f"{name}{suffix}"
            if step.symbol in _values(inspection):
                _save_sheet(step.value[..., image], f"{step.symbol} of {_name(inspection, image)}", path)
                yield path


def _values(inspection: Inspection) -> set[str]:
    """Return the symbols of the values and their gradients: a convolution's ∂L/∂W has four axes, too."""
    symbols = inspection.symbols.values.values()
    return {*symbols, *(f"∂L/∂{symbol}" for symbol in symbols)}


def _name(inspection: Inspection, image: int) -> str:
    return one_line(Path(inspection.batch.names[image]).name).replace("$", r"\$")


@with_own_settings
def _save_sheet(maps: Array, title: str, path: Path) -> None:
    """Draw maps (C, H, W) side by side on one scale: red is positive, blue negative."""
    largest = float(np.abs(maps).max()) or 1.0
    sheet, columns, rows = sheet_of(maps[:_MOST_MAPS, :, :, None])
    figure = new_figure(max(0.9 * columns + 1.2, 5), 0.9 * rows * maps.shape[1] / maps.shape[2] + 0.7)
    axes = figure.subplots()
    shown = f", the first {_MOST_MAPS} of {len(maps)} channels" if len(maps) > _MOST_MAPS else ""
    axes.set_title(f"{title}{shown}", fontsize=9)
    drawn = axes.imshow(sheet, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    figure.colorbar(drawn, ax=axes, shrink=0.9)
    axes.set_axis_off()
    save_figure(figure, path)


def _filters(inspection: Inspection, channel: int, folder: Path, suffix: str) -> Iterator[Path]:
    model = inspection.record.model
    for node in model.network.nodes:
        if isinstance(node.layer, Conv2d):
            symbol = inspection.symbols.parameters[node.name]["W"]
            W, path = model.params[node.name]["W"], folder / f"{symbol}{suffix}"
            if W.shape[1] in (1, 3):
                save_filters(W[:_MOST_MAPS], node.name, path)
            else:
                k = min(channel, len(W) - 1)
                _save_sheet(W[k], f"filter {k} of {node.name}: a kernel for each channel", path)
            yield path


def _attention(inspection: Inspection, image: int, folder: Path, suffix: str) -> Iterator[Path]:
    record, batch = inspection.record, inspection.batch
    label = int(record.labels[image])
    pictures = {f"saliency{suffix}": (saliency(record)[..., image], "saliency, |∂L/∂X|")}
    activation = class_activation(record, [label])
    if activation:
        silent = "" if activation.maps[..., image].any() else ", for which nothing speaks"
        title = f"Grad-CAM of {one_line(batch.classes[label])}{silent}"
        pictures[f"grad-cam{suffix}"] = activation.maps[0, ..., image], title.replace("$", r"\$")
    pixels = record.tape.values[INPUT][..., image]
    for name, (strength, title) in pictures.items():
        _save_overlaid(pixels, strength, f"{title}: {_name(inspection, image)}", folder / name)
        yield folder / name


@with_own_settings
def _save_overlaid(pixels: Array, strength: Array, title: str, path: Path) -> None:
    """Draw an image (C, H, W) in grey and what is strong of it (h, w) over it, the same beside it on its own."""
    grey = pixels.mean(axis=0)
    figure = new_figure(7, 3.4)
    alone, over = figure.subplots(1, 2)
    height, width = grey.shape
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    alone.imshow(grey, cmap="gray", interpolation="nearest")
    over.imshow(grey, cmap="gray", interpolation="nearest")
    share = strength / (float(strength.max()) or 1.0)
    smooth = "nearest" if strength.shape == grey.shape else "bilinear"
    over.imshow(share, cmap="inferno", alpha=0.75 * share, extent=extent, interpolation=smooth, vmin=0, vmax=1)
    figure.suptitle(title, fontsize=9)
    for axes in (alone, over):
        axes.set_axis_off()
    save_figure(figure, path)
