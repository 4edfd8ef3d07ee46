"""The Python interface: what the commands do, as functions of arrays and configurations.

Arrays have the batch as their last axis unless `layout` says otherwise: images are (C, H, W, M), labels (M,).
"""

from cnnbp.api.backpropagation import Backpropagation
from cnnbp.api.functions import backpropagate, check_gradients, grads, inventory, load_config, shapes
from cnnbp.api.predictions import Predictions
from cnnbp.api.run import Run, load
from cnnbp.api.training import Epoch, train

__all__ = [
    "Backpropagation",
    "Epoch",
    "Predictions",
    "Run",
    "backpropagate",
    "check_gradients",
    "grads",
    "inventory",
    "load",
    "load_config",
    "shapes",
    "train",
]
