"""The configuration as frozen models: their fields are the keys of the YAML, their descriptions its documentation."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import unquote_to_bytes

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cnnbp.arrays import format_shape
from cnnbp.config.own_layers import OwnCode
from cnnbp.config.scalars import LARGEST_INTEGER
from cnnbp.config.tree import YamlValue
from cnnbp.data.augment import AUGMENTATIONS, Augmentation
from cnnbp.display import Shown
from cnnbp.fast import Planner, as_written, plan_for
from cnnbp.layers import BatchNorm, LayerSpec
from cnnbp.layers.batchnorm import FixedBatchNorm
from cnnbp.losses import LossSpec
from cnnbp.network import Network
from cnnbp.optimizers import Adam, OptimizerSpec
from cnnbp.schedules import Constant, ScheduleSpec
from cnnbp.spelling import OneOf, coerced

if TYPE_CHECKING:
    from cnnbp.layers import Layer, Residual
    from cnnbp.losses import Loss
    from cnnbp.optimizers import Optimizer
    from cnnbp.schedules import Schedule
    from cnnbp.spelling import Coerced

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_FILE_URI = "file://"
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?) ?([KMG]i?B|B|)", re.ASCII | re.IGNORECASE)


def _expected(what: str) -> PydanticCustomError:
    return PydanticCustomError("unsuitable", "must be {expected}", {"expected": what})


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    amount = _AMOUNT.fullmatch(value)
    if amount is None:
        raise _expected("a number of bytes, or a text such as 512MiB")
    count = int(float(amount[1]) * _UNITS[amount[2].upper()])
    if count > LARGEST_INTEGER:
        raise _expected("less than 8 EiB")
    return count


def _folder(value: Any) -> Any:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise _expected("the path of a folder")
    if value.startswith(_FILE_URI):
        path = os.fsdecode(unquote_to_bytes(value.removeprefix(_FILE_URI)))
    else:
        path = expanduser(value)  # noqa: PTH111  (Path's own raises where there is no home)
    if not path or "\0" in path:
        raise _expected("the path of a folder")
    return Path(path)


def spelled_folder(path: Path) -> str:
    """Return a path as a configuration spells it: where its bytes are no Unicode, as a URI of file:, RFC 8089."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.absolute().as_uri()
    return path.as_posix()


def _colour(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value, value
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise _expected("a grey level or [red, green, blue]")
    return value


def _grey_or_colour(colour: tuple[int, int, int]) -> int | tuple[int, int, int]:
    return colour[0] if len(set(colour)) == 1 else colour


def _fold(fold: tuple[int, int]) -> tuple[int, int]:
    k, parts = fold
    if k > parts:
        raise _expected(f"[k, K] with k up to K, not part {k} of {parts}")
    return fold


Level = Annotated[int, Field(ge=0, le=255)]
if TYPE_CHECKING:
    _Spelled = str | Mapping[str, Any]
    Colour = Coerced[tuple[int, int, int], int | Sequence[int]]
    Bytes = Coerced[int, int | str]
    OptionalFolder = Coerced[Path | None, Path | str | None]
    FoldOption = Coerced[tuple[int, int] | None, Sequence[int] | None]
    Names = Coerced[tuple[str, ...], Sequence[str]]
    Numbers = Coerced[float | tuple[float, ...], float | Sequence[float]]
    PositiveNumbers = Numbers
    AugmentationList = Coerced[tuple[Augmentation, ...], Sequence[Augmentation | _Spelled]]
    LayerList = Coerced[tuple[Layer | Residual, ...], Sequence[Layer | Residual | _Spelled]]
    LossOption = Coerced[Loss, Loss | _Spelled]
    OptimizerOption = Coerced[Optimizer, Optimizer | _Spelled]
    ScheduleOption = Coerced[Schedule, Schedule | _Spelled]
else:
    Colour = Annotated[
        tuple[Level, Level, Level],
        BeforeValidator(_colour, Level | tuple[Level, Level, Level]),
        PlainSerializer(_grey_or_colour, when_used="json"),
    ]
    Bytes = Annotated[NonNegativeInt, BeforeValidator(_bytes, NonNegativeInt | str)]
    OptionalFolder = (
        Annotated[Path, BeforeValidator(_folder, str), PlainSerializer(spelled_folder, when_used="json")] | None
    )
    FoldOption = Annotated[tuple[PositiveInt, Annotated[int, Field(ge=2)]], AfterValidator(_fold)] | None
    Names = tuple[str, ...]
    Numbers = float | tuple[float, ...]
    PositiveNumbers = PositiveFloat | tuple[PositiveFloat, ...]
    AugmentationList = tuple[Annotated[Augmentation, OneOf("augmentation", lambda: AUGMENTATIONS)], ...]
    LayerList = tuple[LayerSpec, ...]
    LossOption, OptimizerOption, ScheduleOption = LossSpec, OptimizerSpec, ScheduleSpec

Channels = Annotated[int, Field(ge=1, le=4096)]
Side = Annotated[int, Field(ge=1, le=8192)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Base of the configuration's own models."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _a_key_alone_takes_the_defaults(cls, value: Any) -> Any:
        return {} if value is None else value


class InputConfig(Section):
    """What images become before the network sees them."""

    channels: Channels = Field(description="1 for grey, 3 for RGB, 4 for RGBA; others for arrays in Python.")
    height: Side = Field(description="Rows of pixels.")
    width: Side = Field(description="Columns of pixels.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width


class NormalizeConfig(Section):
    """Pixels x in 0…1 become (x − mean)/std."""

    mean: Numbers = Field(default=coerced(0.0), description="One number, or one per channel.")
    std: PositiveNumbers = Field(default=coerced(1.0), description="One number, or one per channel.")


class DataConfig(Section):
    """The image folder, and what is done to its images."""

    path: OptionalFolder = Field(default=coerced(None), description="The image folder, relative to this file.")
    fit: Literal["stretch", "crop", "pad"] = Field(
        default="stretch", description="How an image of other proportions becomes height × width."
    )
    validation: Share = Field(
        default=0.2, description="Share of each class that validates, where the folder has no val split."
    )
    fold: FoldOption = Field(
        default=coerced(None), description="[k, K]: the k-th of K stratified parts validates, in place of `validation`."
    )
    normalize: NormalizeConfig | Literal["auto"] = Field(
        default=NormalizeConfig(), description="mean and std for pixels in 0…1, or auto: those of the training split."
    )
    augment: AugmentationList = Field(
        default=coerced(()), description="Random changes to the training images, one after the other."
    )
    background: Colour = Field(
        default=coerced((255, 255, 255)),
        description="Seen through transparent pixels and beside images that fit: pad shrank.",
    )
    max_pixels: PositiveInt = Field(default=25_000_000, description="Images with more pixels are refused.")
    cache: Bytes = Field(
        default=coerced(1 << 30), description="Memory for decoded images: bytes, or a text such as 512MiB."
    )
    skip_bad: bool = Field(default=False, description="Go on without images that cannot be read.")
    allow_empty: bool = Field(default=False, description="Accept class folders without images.")


class EarlyStopping(Section):
    """Stop before the last epoch when the validation loss no longer improves."""

    patience: NonNegativeInt = Field(default=5, description="Epochs without improvement before training stops.")
    min_delta: NonNegativeFloat = Field(default=0.0, description="By how much the best loss must be beaten.")


class TrainConfig(Section):
    """How the network is trained."""

    epochs: PositiveInt = Field(default=10, description="How often every training image is seen.")
    batch_size: PositiveInt = Field(default=64, description="Images per step.")
    optimizer: OptimizerOption = Field(default=coerced(Adam()), description="How a step follows the gradient.")
    schedule: ScheduleOption = Field(
        default=coerced(Constant()), description="What the learning rate is multiplied with."
    )
    clip_norm: PositiveFloat | None = Field(default=None, description="A longer gradient is shortened to this norm.")
    early_stopping: EarlyStopping | None = Field(default=None, description="By default every epoch is run.")
    keep: Literal["loss", "accuracy"] = Field(
        default="loss",
        description="The best epoch has the lowest loss, or the highest accuracy and of equal ones the lowest loss.",
    )
    kernels: Literal["fast", "written"] = Field(
        default="fast", description="written: train with the layers' own code, which is slower and readable."
    )
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Evaluate and export a running average of the parameters; the weight of its past."
    )
    freeze: Names = Field(
        default=coerced(()), description="Layers and residual blocks that training leaves as they are."
    )
    save_every: PositiveFloat = Field(default=30.0, description="Seconds between checkpoints within an epoch.")

    @property
    def planner(self) -> Planner:
        """What says how micro-batches are done."""
        return plan_for if self.kernels == "fast" else as_written


@dataclass(frozen=True)
class Origin:
    """The text that a configuration is from; it does not make it a different one."""

    root: YamlValue | None = field(default=None, compare=False)


if TYPE_CHECKING:

    class _Importing(Section):
        """What has the option `import`, which Python itself has another use for."""
else:
    _Importing = create_model(
        "_Importing",
        __base__=Section,
        **{
            "import": (
                tuple[str, ...] | None,
                Field(default=None, description="Python files, or modules, whose layers may be used. They are run."),
            )
        },
    )


class Config(Shown, _Importing):
    """A network, its data and its training."""

    seed: NonNegativeInt = Field(default=0, description="All random numbers follow from it.")
    input: InputConfig = Field(description="The shape of an image.")
    data: DataConfig | None = Field(
        default=None, description="Where the images are; may be given to a command instead."
    )
    layers: LayerList = Field(min_length=1, description="The network, from the image to the logits.")
    loss: LossOption = Field(description="What training makes small; the classifiers take logits.")
    train: TrainConfig = Field(default=TrainConfig(), description="How it is trained.")

    _origin: Origin = PrivateAttr(default=Origin())
    _code: tuple[OwnCode, ...] = PrivateAttr(default=())

    @property
    def code(self) -> tuple[OwnCode, ...]:
        """What has been imported."""
        return self._code

    def importing(self, names: Mapping[str, str]) -> Self:
        """Return the configuration with each imported file spelled in another way."""
        spelled = tuple(names[code.name] for code in self.code)
        return self.model_copy(update={"import": spelled}) if spelled else self

    def __repr__(self) -> str:
        shape = format_shape(self.input.shape)
        return f"<Config {shape}, {len(self.layers)} layers, {self.loss.type}, {self.train.epochs} epochs>"

    @cached_property
    def network(self) -> Network:
        """The network with all its shapes, batch norms that `train.freeze` names as they work then.

        Raises ShapeError where a layer does not fit its input.
        """
        network = Network(self.input.shape, self.layers)
        for node in network.parts(self.train.freeze):
            if type(node.layer) is BatchNorm:
                network = network.with_layer(node.index, FixedBatchNorm(name=node.name, norm=node.layer))
        return network

    def with_max_pixels(self, limit: int | None) -> Self:
        """Return the configuration with another limit of an image's pixels, or itself where None is given."""
        if limit is None:
            return self
        data = (self.data or DataConfig()).model_copy(update={"max_pixels": limit})
        return self.model_copy(update={"data": data})

    def with_data(self, path: Path) -> Self:
        """Return the configuration for another image folder, which is taken from the working directory."""
        data = (self.data or DataConfig()).model_copy(update={"path": path.absolute()})
        return self.model_copy(update={"data": data})
