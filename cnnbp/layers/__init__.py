"""The layers, one file per family. `LAYERS` is the one list of them: all else follows from the classes."""

from collections.abc import Mapping

from pydantic import BaseModel

from cnnbp.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from cnnbp.layers.base import Context, CoupledLayer, Gradients, Layer, ParameterSpec, Params, PiecewiseLayer, Window
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.groupnorm import GroupNorm
from cnnbp.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from cnnbp.layers.reshape import Flatten
from cnnbp.layers.residual import Add, LayerSpec, Residual

LAYERS: tuple[type[Layer], ...] = (
    Conv2d,
    Dense,
    MaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    ReLU,
    LeakyReLU,
    ELU,
    GELU,
    SiLU,
    Sigmoid,
    Tanh,
    BatchNorm,
    GroupNorm,
    Dropout,
    Flatten,
)

SPELLINGS: Mapping[str, type[BaseModel]] = {**{layer.type: layer for layer in LAYERS}, Residual.type: Residual}

__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "SPELLINGS",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "Context",
    "Conv2d",
    "CoupledLayer",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Gradients",
    "GroupNorm",
    "Layer",
    "LayerSpec",
    "LeakyReLU",
    "MaxPool2d",
    "ParameterSpec",
    "Params",
    "PiecewiseLayer",
    "ReLU",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "Window",
]
