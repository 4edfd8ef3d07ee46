"""How far what `cnnbp export` wrote is from cnnbp: the shipped configurations, trained, run by others.

Where a configuration comes without images it is trained on noise for an epoch: its weights, running statistics and
measured normalisation are then no less real.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import safetensors
import torch
from PIL import Image
from safetensors.torch import load_file

from cnnbp.arrays import Array
from cnnbp.bench.torch_network import TorchNetwork
from cnnbp.config import Config, load_config, parse_config

CONFIGS = Path(__file__).parents[2] / "configs"
IMAGES = 12
WHAT_IS_EXPORTED = (
    "onnxruntime, probabilities",
    "onnxruntime, one by one",
    "PyTorch, probabilities",
    "PyTorch and onnxruntime, logits",
)


def export_distances() -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each configuration's name and how far others' logits are, in shares of the largest or of 1."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        with TemporaryDirectory() as folder:
            yield path.stem, _distances(path, Path(folder))


def _distances(path: Path, folder: Path) -> dict[str, float]:
    config = load_config(path)
    data = [] if config.data and config.data.path else [_noise(config, folder / "noise")]
    _cnnbp("train", path, *data, "--run", folder / "run", "--no-plots", "-q", "train.epochs=1", "train.batch_size=8")
    for form in ("onnx", "safetensors"):
        _cnnbp("export", folder / "run", "--to", form, "--out", folder / f"model.{form}")
    images = [folder / f"{index}.png" for index in range(IMAGES)]
    pixels = np.stack([_image(config, index, image) for index, image in enumerate(images)])
    expected = _probabilities(_cnnbp("predict", folder / "run", *images, "--top", 99, "--json"))
    onnx = _logits_of_onnxruntime(folder / "model.onnx", pixels)
    alone = np.concatenate([_logits_of_onnxruntime(folder / "model.onnx", pixels[m : m + 1]) for m in range(IMAGES)])
    by_torch = _logits_of_torch(folder / "model.safetensors", pixels)
    distances = (
        _apart(config.loss.probabilities(onnx.T).T, expected),
        _apart(alone, onnx),
        _apart(config.loss.probabilities(by_torch.T).T, expected),
        _apart(by_torch, onnx),
    )
    return dict(zip(WHAT_IS_EXPORTED, distances, strict=True))


def _cnnbp(*arguments: object) -> str:
    command = [sys.executable, "-m", "cnnbp", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _noise(config: Config, folder: Path) -> Path:
    """Make a folder of as many classes as the network has."""
    classes = max(config.network.output_shape[0], 2)
    for label in range(classes):
        (folder / f"class {label}").mkdir(parents=True)
        for index in range(6):
            _image(config, 100 * label + index, folder / f"class {label}" / f"{index}.png")
    return folder


def _image(config: Config, seed: int, path: Path) -> Array:
    """Save random pixels as an image; return them, (C, H, W)."""
    pixels = np.random.default_rng(seed).integers(0, 256, config.input.shape).astype(np.uint8)
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(path)
    return pixels


def _probabilities(document: str) -> Array:
    """Return what `predict` found, (M, classes)."""
    found = json.loads(document)
    columns = {name: place for place, name in enumerate(found["classes"])}
    rows = np.zeros((len(found["predictions"]), len(columns)))
    for row, prediction in zip(rows, found["predictions"], strict=True):
        for guess in prediction["top"]:
            row[columns[guess["class"]]] = guess["probability"]
    return rows


def _logits_of_onnxruntime(model: Path, pixels: Array) -> Array:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    [logits] = session.run(["logits"], {"pixels": (pixels / 255).astype(np.float32)})
    return logits


def _logits_of_torch(weights: Path, pixels: Array) -> Array:
    """Load the weights as PyTorch's users do, and run the network that the file's own metadata describes."""
    with safetensors.safe_open(weights, "pt") as file:
        noted = json.loads(file.metadata()["cnnbp"])
    network, tensors = parse_config(noted["config"], "metadata").network, load_file(weights)
    params, state = network.layout.zeros(np.float32), network.initial_state()
    for layer, arrays in (*params.tensors.items(), *state.items()):
        for name, array in arrays.items():
            array[...] = tensors.pop(f"{layer}.{name}").numpy()
    assert not tensors
    mean, std = (torch.tensor(json.loads(noted[name])).reshape(-1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        x = (torch.from_numpy(pixels) / 255 - mean) / std
        return TorchNetwork(network, params, state).forward(x, training=False).numpy()


def _apart(actual: Array, expected: Array) -> float:
    return float(np.abs(actual - expected).max() / max(np.abs(expected).max(), 1))
