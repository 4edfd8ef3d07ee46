"""The configuration as frozen models: their fields are the keys of the YAML, their descriptions its documentation."""

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
)

from cnnbp.config.yaml_text import Node
from cnnbp.data.augment import AUGMENTATIONS, Augmentation
from cnnbp.layers import LayerSpec
from cnnbp.losses import LossSpec
from cnnbp.network import Network
from cnnbp.optimizers import Adam, OptimizerSpec
from cnnbp.schedules import Constant, ScheduleSpec
from cnnbp.spelling import OneOf

_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6, "gb": 10**9}


class Section(BaseModel):
    """Base of the configuration's own models."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _bytes(value: Any) -> Any:
    """Turn "1GiB" into bytes; anything else is left to the field."""
    match = (
        re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([KMG]i?B|B|)", value, re.I) if isinstance(value, str) else None
    )
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else value


def _folder(value: Any) -> Any:
    return Path(os.path.expanduser(value)) if isinstance(value, str) and value and "\0" not in value else value


Bytes = Annotated[NonNegativeInt, BeforeValidator(_bytes, str | int)]
Folder = Annotated[Path, BeforeValidator(_folder, str)]
Level = Annotated[int, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=1, le=8192)]


class InputConfig(Section):
    """What the images become before the network sees them."""

    channels: Literal[1, 3] = Field(description="1 for grey, 3 for RGB.")
    height: Side = Field(description="Rows of pixels.")
    width: Side = Field(description="Columns of pixels.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width


class NormalizeConfig(Section):
    """Pixels in 0…1 become (x − mean)/std."""

    mean: float | tuple[float, ...] = Field(default=0.0, description="One number, or one per channel.")
    std: PositiveFloat | tuple[PositiveFloat, ...] = Field(default=1.0, description="One number, or one per channel.")


class DataConfig(Section):
    """The image folder, and what is done to its images."""

    path: Folder | None = Field(default=None, description="The image folder, relative to this file.")
    fit: Literal["stretch", "crop", "pad"] = Field(default="stretch", description="How an image of another size fits.")
    validation: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.2, description="Share of each class that validates, when the folder has no val split."
    )
    normalize: NormalizeConfig | Literal["auto"] = Field(
        default=NormalizeConfig(), description="mean and std of pixels in 0…1, or auto: from the training split."
    )
    augment: tuple[Annotated[Augmentation, OneOf("augmentation", lambda: AUGMENTATIONS)], ...] = Field(
        default=(), description="Random changes to the training images, in order."
    )
    background: Level | tuple[Level, Level, Level] = Field(
        default=255, description="What transparent pixels and the bars of fit: pad show: a grey level or [r, g, b]."
    )
    max_pixels: PositiveInt = Field(default=25_000_000, description="Images with more pixels are refused.")
    cache: Bytes = Field(default=1 << 30, description="Memory for decoded images: bytes, or a text as 1GiB.")
    allow_empty: bool = Field(default=False, description="Accept class folders without images.")


class EarlyStopping(Section):
    """Stop when the validation loss no longer improves."""

    patience: NonNegativeInt = Field(default=5, description="Epochs without improvement that are let pass.")
    min_delta: NonNegativeFloat = Field(default=0.0, description="By how much a loss must beat the best to count.")


class TrainConfig(Section):
    """How the network is trained."""

    epochs: PositiveInt = Field(default=10, description="Times that every training image is seen.")
    batch_size: PositiveInt = Field(default=64, description="Images per step.")
    optimizer: OptimizerSpec = Field(default=Adam(), description="How a step follows the gradient.")
    schedule: ScheduleSpec = Field(default=Constant(), description="What the learning rate is multiplied with.")
    clip_norm: PositiveFloat | None = Field(default=None, description="Longer gradients are shortened to this norm.")
    early_stopping: EarlyStopping | None = Field(default=None, description="When to stop before the last epoch.")
    save_every: PositiveFloat = Field(default=300.0, description="Seconds between checkpoints inside an epoch.")


@dataclass(frozen=True)
class Origin:
    """The text that a configuration is from, which does not make it a different one."""

    root: Node | None = field(default=None, compare=False)


class Config(Section):
    """A whole training job."""

    seed: NonNegativeInt = Field(default=0, description="All random numbers follow from it.")
    input: InputConfig
    data: DataConfig | None = Field(default=None, description="Where the images are.")
    layers: tuple[LayerSpec, ...] = Field(min_length=1, description="The network, from the images to the logits.")
    loss: LossSpec = Field(description="What training makes small; it takes logits.")
    train: TrainConfig = TrainConfig()
    _origin: Origin = PrivateAttr(default=Origin())

    @cached_property
    def network(self) -> Network:
        """The network with all its shapes. Raises ShapeError where a layer does not fit."""
        return Network(self.input.shape, self.layers)

    def with_data(self, path: Path) -> Self:
        """Return the configuration for another image folder."""
        return self.model_copy(
            update={"data": (self.data or DataConfig()).model_copy(update={"path": path.absolute()})}
        )
