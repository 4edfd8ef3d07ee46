"""cnnbp: train small convolutional networks on image folders and take their gradients apart.

    import cnnbp

    config = cnnbp.load_config("configs/digits.yaml", ["train.epochs=3"])
    for epoch in cnnbp.train(config):
        print(epoch.metrics.val_accuracy)

The names below are the public ones, beside the layers, losses, optimizers and schedules of the modules of that name
and `cnnbp.gradcheck`. They are imported when they are asked for, so `import cnnbp` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnbp.api import (
        Backpropagation,
        Epoch,
        Predictions,
        Run,
        backpropagate,
        check_gradients,
        grads,
        inventory,
        load,
        load_config,
        shapes,
        train,
    )
    from cnnbp.config import Config
    from cnnbp.data.inventory import Inventory
    from cnnbp.errors import CheckpointError, CnnbpError, ConfigError, DataError, Diverged, ShapeError, UnknownName
    from cnnbp.evaluate.predictions import Prediction
    from cnnbp.evaluate.scores import Evaluation
    from cnnbp.export import Export
    from cnnbp.inspect.costs import NetworkShapes
    from cnnbp.inspect.examine import Inspection
    from cnnbp.network import Network
    from cnnbp.parameters import Parameters
    from cnnbp.training.state import EpochMetrics

__version__ = "0.1.0"

_HOMES = {
    "cnnbp.api": (
        *("Backpropagation", "Epoch", "Predictions", "Run", "load", "load_config", "train"),
        *("backpropagate", "check_gradients", "grads", "inventory", "shapes"),
    ),
    "cnnbp.config": ("Config",),
    "cnnbp.data.inventory": ("Inventory",),
    "cnnbp.errors": (
        "CheckpointError",
        "CnnbpError",
        "ConfigError",
        "DataError",
        "Diverged",
        "ShapeError",
        "UnknownName",
    ),
    "cnnbp.evaluate.predictions": ("Prediction",),
    "cnnbp.evaluate.scores": ("Evaluation",),
    "cnnbp.export": ("Export",),
    "cnnbp.inspect.costs": ("NetworkShapes",),
    "cnnbp.inspect.examine": ("Inspection",),
    "cnnbp.network": ("Network",),
    "cnnbp.parameters": ("Parameters",),
    "cnnbp.training.state": ("EpochMetrics",),
}

__all__ = [  # noqa: RUF022  (in the order of a first look)
    "load_config",
    "train",
    "load",
    "backpropagate",
    "check_gradients",
    "shapes",
    "grads",
    "inventory",
    "Backpropagation",
    "Config",
    "Epoch",
    "EpochMetrics",
    "Evaluation",
    "Export",
    "Inspection",
    "Inventory",
    "Network",
    "NetworkShapes",
    "Parameters",
    "Prediction",
    "Predictions",
    "Run",
    "CnnbpError",
    "ConfigError",
    "ShapeError",
    "UnknownName",
    "DataError",
    "CheckpointError",
    "Diverged",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'cnnbp' has no attribute {name!r}")
