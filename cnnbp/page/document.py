"""All that a page holds, as one JSON document: tensors, stations, layers, paths, images, the update."""

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from cnnbp.inspect.attention import class_activation, saliency
from cnnbp.inspect.examine import Inspection, is_small
from cnnbp.inspect.path import Fork, Path, paths
from cnnbp.inspect.statistics import ImageStatistics
from cnnbp.inspect.step import ParameterStep
from cnnbp.inspect.update import Update, update_once
from cnnbp.optimizers import SGD
from cnnbp.page.bug import Planted, bug_document
from cnnbp.page.nodes import node_document, statistics_symbols, statistics_tensors
from cnnbp.page.stations import BACKWARD, FORWARD, PARAMETER, stations
from cnnbp.page.tensors import Chosen, Tensor, choose, tensor_documents

_MOST_CLASSES = 10  # maps of Grad-CAM for so many of the most probable classes


@dataclass(frozen=True, eq=False)
class Page:
    """What a page shows: a title, one inspected batch, and the bug that is planted in it, if any.

    `quiz` hides some numbers of every station, chosen by `seed`.
    """

    title: str
    inspection: Inspection
    planted: Planted | None = None
    quiz: bool = False
    seed: int = 0


def page_document(page: Page) -> dict[str, Any]:
    """Return a page as JSON knows it."""
    inspection = page.inspection
    record, symbols = inspection.record, inspection.symbols
    model, images = record.model, len(record.labels)
    chain = stations(inspection, _extra(inspection))
    attention = _attention(inspection)
    chosen = choose(_tensors(page) | (attention.tensors if attention else {}), images)
    return {
        "title": page.title,
        "source": PurePath(inspection.batch.source).name,
        "images": [_image_document(image) for image in sorted(inspection.images, key=lambda image: image.index)],
        "shown": chosen.images,
        "classes": list(inspection.batch.classes),
        "exact": chosen.exact,
        "leftOut": _left_out(chosen, images),
        "small": is_small(model.network),
        "coupled": record.couples_images,
        "tensors": tensor_documents(chosen),
        "stations": [asdict(station) for station in chain],
        "nodes": [node_document(node, symbols) for node in model.network.nodes],
        "loss": _loss_document(inspection),
        "paths": {symbol: _path_document(path) for symbol, path in paths(model.network, model.loss, symbols).items()},
        "updates": [_update_document(update) for update in _updates(inspection)],
        "attention": attention.document if attention else None,
        "bug": bug_document(page.planted) if page.planted else None,
        "quiz": page.quiz,
        "seed": page.seed,
    }


def _image_document(image: ImageStatistics) -> dict[str, Any]:
    """Return an image's line; of its name the last folder: a page travels, and no path of this machine goes with it."""
    return {**asdict(image), "name": "/".join(PurePath(image.name).parts[-2:])}


def _tensors(page: Page) -> dict[str, Tensor]:
    inspection = page.inspection
    record, symbols = inspection.record, inspection.symbols
    tensors: dict[str, Tensor] = {}
    for step in inspection.forward:
        tensors[step.symbol] = Tensor(step.value, batched=True)
    for name, theta in record.tape.params.named():
        layer, _, parameter = name.rpartition(".")
        tensors[symbols.parameters[layer][parameter]] = Tensor(theta, batched=False)
    for step in inspection.backward:
        tensors[step.symbol] = Tensor(step.value, batched=not isinstance(step, ParameterStep))
        if isinstance(step, ParameterStep) and step.images is not None:
            tensors[f"{step.symbol} by image"] = Tensor(step.images, batched=True)
    for node in record.model.network.nodes:
        if node.is_coupled:
            tensors |= statistics_tensors(node, record, symbols)
    tensors |= _changes(inspection)
    if page.planted:
        tensors |= {f"wrong {symbol}": tensor for symbol, tensor in page.planted.gradients.items()}
    return tensors


@dataclass(frozen=True, eq=False)
class _Attention:
    """Where the network looks: its tensors by symbol, and what the page must know of them."""

    tensors: dict[str, Tensor]
    document: dict[str, Any]


def _attention(inspection: Inspection) -> _Attention | None:
    """Return saliency and Grad-CAM; None for a network whose numbers are read one by one, or without convolutions."""
    record = inspection.record
    probabilities = record.model.loss.probabilities(record.logits).mean(axis=1)  # (classes,)
    classes = np.sort(np.argsort(-probabilities, kind="stable")[:_MOST_CLASSES]).tolist()
    found = None if is_small(record.model.network) else class_activation(record, classes)
    if found is None:
        return None
    symbol = inspection.symbols.values[found.layer]
    return _Attention(
        {"|∂L/∂X|": Tensor(saliency(record)[None], batched=True), "Grad-CAM": Tensor(found.maps, batched=True)},
        {"saliency": "|∂L/∂X|", "maps": "Grad-CAM", "classes": classes, "over": symbol},
    )


def _changes(inspection: Inspection) -> dict[str, Tensor]:
    """Return Δθ of the configuration's optimizer, by symbol."""
    before, after = inspection.record.tape.params, inspection.update.params
    changes = {}
    for name, theta in after.named():
        layer, _, parameter = name.rpartition(".")
        symbol = inspection.symbols.parameters[layer][parameter]
        changes[f"Δ{symbol}"] = Tensor(theta - before[layer][parameter], batched=False)
    return changes


def _extra(inspection: Inspection) -> dict[str, tuple[str, ...]]:
    """Return what batch norm's equations read beside what stands in them by name."""
    record, symbols = inspection.record, inspection.symbols
    extra: dict[str, tuple[str, ...]] = {}
    for node in record.model.network.nodes:
        if node.is_coupled:
            names, x = statistics_symbols(node, symbols), symbols.values[node.inputs[0]]
            extra[f"{FORWARD} {node.name}"] = (x, names["mean"], names["variance"])
            extra[f"{BACKWARD} {node.name}"] = (x, *names.values())
            extra[f"{PARAMETER} {node.name}"] = (x, names["mean"], names["variance"])
    return extra


def _loss_document(inspection: Inspection) -> dict[str, Any]:
    record, symbols = inspection.record, inspection.symbols
    weights, last = record.model.loss.class_weights, len(record.model.network.nodes) - 1
    activated = any(step.symbol == symbols.output for step in inspection.forward)
    return {
        "type": record.model.loss.type,
        "logits": symbols.values[last],
        "activation": symbols.output if activated else None,
        "value": record.loss,
        "weights": None if weights is None else np.asarray(weights)[record.labels].tolist(),
        "images": len(record.labels),
    }


def _path_document(path: Path) -> list[Any]:
    return [
        {"fork": [_path_document(way) for way in part.paths]} if isinstance(part, Fork) else asdict(part)
        for part in path
    ]


def _updates(inspection: Inspection) -> list[Update]:
    """Return plain gradient descent with the configuration's rate, and the configuration's own optimizer."""
    own = inspection.update
    if own.optimizer == SGD(lr=own.optimizer.lr):
        return [own]
    return [update_once(inspection.record, SGD(lr=own.optimizer.lr)), own]


def _update_document(update: Update) -> dict[str, Any]:
    return {
        "optimizer": update.optimizer.type,
        "plain": update.optimizer == SGD(lr=update.optimizer.lr),
        "lr": update.optimizer.lr,
        "formula": update.formula,
        "before": update.loss_before,
        "after": update.loss_after,
    }


def _left_out(chosen: Chosen, images: int) -> list[str]:
    left_out = [f"{symbol} ({chosen.tensors[symbol].shape})" for symbol in chosen.left_out]
    if chosen.images < images:
        left_out.append(f"the maps of images {chosen.images + 1} to {images}")
    return left_out
