"""Checkpoints: a training state and what is needed to use it, as an .npz without times, paths or hosts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from cnnbp.arrays import Array
from cnnbp.config import Config, OwnCode, carried, check_against_classes, dump_config, parse_config
from cnnbp.data.normalize import Normalization
from cnnbp.engine.ranks import Ranks
from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.losses import Loss
from cnnbp.parameters import Parameters, Tensors
from cnnbp.training.archive import ArchiveReader, write_archive
from cnnbp.training.known import KnownImages, Role
from cnnbp.training.state import Distribution, EpochMetrics, EpochSums, TensorStep, TrainingState

FORMAT = 2
_EARLIER = ": an earlier one does not say which images trained it; train it again"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training state and what it is of; `config` has no data.path.

    `images` is the digest of the images that were trained and validated on, `known` what the run knows of each of its
    images, `class_counts` how many trained each class.
    """

    config: Config
    classes: tuple[str, ...]
    normalization: Normalization
    images: str
    state: TrainingState
    class_counts: tuple[int, ...] = ()
    known: KnownImages = field(default_factory=KnownImages.none)

    @property
    def loss(self) -> Loss:
        """The loss, with class weights worked out."""
        return self.config.loss.balanced(self.class_counts)


@dataclass(frozen=True)
class _Code:
    """An imported file: its text, and the digest that it is known by."""

    name: str
    sha256: str
    source: str


@dataclass(frozen=True)
class _Description:
    """All of a checkpoint that is no array."""

    format: int
    config: str
    classes: tuple[str, ...]
    normalization: Normalization
    images: str
    known: NonNegativeInt
    class_counts: tuple[int, ...]
    step: int
    sums: EpochSums
    history: list[EpochMetrics]
    last_step: tuple[TensorStep, ...]
    code: tuple[_Code, ...] = ()
    last_outputs: tuple[tuple[str, Distribution], ...] = ()


_DESCRIPTION = TypeAdapter(_Description)


def without_paths(config: Config) -> Config:
    """Return the configuration without what depends on the machine: where images and imported files lie."""
    config = config.importing({code.name: code.name for code in config.code})
    if config.data is None:
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"path": None})})


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an older one of that name stays until it is whole. Raises CheckpointError."""
    state = checkpoint.state
    description = _Description(
        FORMAT,
        dump_config(without_paths(checkpoint.config)),
        checkpoint.classes,
        checkpoint.normalization,
        checkpoint.images,
        len(checkpoint.known),
        checkpoint.class_counts,
        state.step,
        state.sums,
        state.history,
        state.last_step,
        tuple(_Code(code.name, code.digest, code.source) for code in checkpoint.config.code),
        state.last_outputs,
    )
    text = json.dumps(asdict(description)).encode()
    write_archive(path, {"description": np.frombuffer(text, np.uint8), **_arrays(state, checkpoint.known)})


def load_checkpoint(path: Path, *, trust: bool = False) -> Checkpoint:
    """Read a checkpoint. Raises CheckpointError for one that is damaged, foreign or newer.

    Layers that are not cnnbp's own are Python code, which is run with `trust`; without, such a checkpoint is refused.
    """
    with ArchiveReader(path) as archive:
        description = _read_description(path, archive)
        if description.code and not trust:
            raise CheckpointError(_untrusted(path, description.code))
        config = _read_config(path, description)
        _check_size(archive, config, description.known)
        state = TrainingState.zeros(config)
        known = KnownImages.none(description.known)
        arrays = _arrays(state, known)
        if archive.names != {"description", *arrays}:
            odd = sorted(archive.names ^ {"description", *arrays})
            raise CheckpointError(f"{str(path)!r} does not fit its own configuration: {', '.join(odd)}")
        for name, array in arrays.items():
            array[...] = archive.read(name, array.dtype.str, array.shape)
    state.step, state.sums = description.step, description.sums
    state.history, state.last_step = description.history, description.last_step
    state.last_outputs = description.last_outputs
    checkpoint = Checkpoint(
        config,
        description.classes,
        description.normalization,
        description.images,
        state,
        description.class_counts,
        known,
    )
    for contradiction in _contradictions(checkpoint):
        raise CheckpointError(f"{str(path)!r} contradicts itself: {contradiction}")
    return checkpoint


def _contradictions(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield what cannot be so in a checkpoint that training wrote; whatever uses one may rely on it."""
    classes, counts, normalization = checkpoint.classes, checkpoint.class_counts, checkpoint.normalization
    channels = checkpoint.config.input.channels
    try:
        check_against_classes(checkpoint.config, classes)
    except ConfigError as error:
        yield str(error)
    if len(set(classes)) < len(classes):
        yield "two classes have the same name"
    if len(counts) not in (0, len(classes)) or min(counts, default=0) < 0:
        yield f"class_counts is no number of images for each of {len(classes)} classes"
    if not len(normalization.mean) == len(normalization.std) == channels or min(normalization.std) <= 0:
        yield f"the normalization is not a mean and a positive std for each of {channels} channels"
    if (checkpoint.known.roles > Role.TEST).any():
        yield "some of its images neither train, validate nor test"
    yield from _contradictory_progress(checkpoint.state)
    yield from _impossible_numbers(_arrays(checkpoint.state, checkpoint.known))


def _contradictory_progress(state: TrainingState) -> Iterator[str]:
    sums = state.sums
    if state.step < state.epoch + sums.steps:
        yield f"step is {state.step} after {state.epoch} epochs"
    if not 0 <= sums.correct <= sums.images or not 0 <= sums.steps <= sums.images or (sums.images and not sums.steps):
        yield "the sums of the unfinished epoch do not fit each other"
    if not all(_is_whole(metrics, epoch) for epoch, metrics in enumerate(state.history, 1)):
        yield "the history is not that of one epoch after the other"


def _impossible_numbers(arrays: Mapping[str, Array]) -> Iterator[str]:
    for name, array in arrays.items():
        bad = int((~np.isfinite(array)).sum())
        if bad and not name.startswith("optimizer/"):  # a squared gradient may be too large, and does no harm
            yield f"{bad} of {array.size} numbers of {name} are not finite"
        if name.endswith(".running_var") and (array < 0).any():
            yield f"{name} has a variance below 0"


def _is_whole(metrics: EpochMetrics, epoch: int) -> bool:
    shares = [share for share in (metrics.train_accuracy, metrics.val_accuracy) if share is not None]
    half = (metrics.val_loss is None) != (metrics.val_accuracy is None)
    return metrics.epoch == epoch and not half and all(0 <= share <= 1 for share in shares)


def _require_finite(value: Any) -> None:
    """Raise ValueError for a number that JSON does not have, but Python's writes and reads."""
    match value:
        case float() if not isfinite(value):
            raise ValueError("a number that is not finite")
        case dict():
            _require_finite([*value.values()])
        case list():
            for inner in value:
                _require_finite(inner)


def share_checkpoint(checkpoint: Checkpoint | None, ranks: Ranks) -> Checkpoint:
    """Return the checkpoint of rank 0; the others give none."""
    if ranks.size > 1:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "checkpoint.npz"
            if checkpoint:
                save_checkpoint(copy, checkpoint)
            content = ranks.broadcast(copy.read_bytes() if checkpoint else b"")
            if not checkpoint:
                copy.write_bytes(content)
                return load_checkpoint(copy, trust=True)  # rank 0 has been asked
    assert checkpoint
    return checkpoint


def share_config(config: Config | None, checkpoint: Checkpoint, ranks: Ranks) -> Config:
    """Return the configuration of rank 0, which goes on from a checkpoint; the others give none."""
    content = ranks.broadcast(
        dump_config(config).encode("utf-8", "surrogateescape") if config and ranks.size > 1 else b""
    )
    find = carried(checkpoint.config.code)
    return config or parse_config(content.decode("utf-8", "surrogateescape"), "config.yaml", find_code=find)


def _arrays(state: TrainingState, known: KnownImages) -> dict[str, Array]:
    """Return every array of a checkpoint by its name in the file."""
    average = state.average
    return {
        **_learned("", state.parameters, state.running_statistics),
        **(_learned("average_", average.parameters, average.running_statistics) if average else {}),
        **{f"optimizer/{name}": array for name, array in state.slots.items()},
        "images/pixels": known.pixels,
        "images/names": known.names,
        "images/roles": known.roles,
    }


def _learned(prefix: str, parameters: Parameters, running_statistics: Tensors) -> dict[str, Array]:
    return {
        **{f"{prefix}parameters/{name}": array for name, array in parameters.named()},
        **{
            f"{prefix}running_statistics/{layer}.{name}": array
            for layer, tensors in running_statistics.items()
            for name, array in tensors.items()
        },
    }


def _read_description(path: Path, archive: ArchiveReader) -> _Description:
    try:
        values = json.loads(archive.read_bytes("description"))
        if isinstance(values, dict) and values.get("format") != FORMAT:
            raise CheckpointError(
                f"{str(path)!r} is a checkpoint of format {values.get('format')}; this cnnbp reads format {FORMAT}"
                + _EARLIER * (values.get("format") == 1)
            )
        _require_finite(values)
        return _DESCRIPTION.validate_python(values)
    except (ValueError, RecursionError) as error:
        reason = "" if isinstance(error, ValidationError | UnicodeError) else f": {error}"
        raise CheckpointError(f"{str(path)!r} has no valid description{reason}") from error


def _untrusted(path: Path, codes: Sequence[_Code]) -> str:
    named = ", ".join(f"{code.name} (SHA-256 {code.sha256[:16]}…)" for code in codes)
    return (
        f"{str(path)!r} was trained with layers of its own, which are Python code: {named}\n"
        "  to use it is to run that code; --trust does, once you have read it, and know who wrote it"
    )


def _read_config(path: Path, description: _Description) -> Config:
    codes = [OwnCode(code.name, code.source, f"{path}: {code.name}") for code in description.code]
    if any(code.digest != told.sha256 for code, told in zip(codes, description.code, strict=True)):
        raise CheckpointError(f"{str(path)!r} has imported files that are not those that it was trained with")
    try:
        return parse_config(description.config, str(path), find_code=carried(codes))
    except ConfigError as error:
        raise CheckpointError(f"the configuration in {str(path)!r} is not valid here:\n{error}") from error


def _check_size(archive: ArchiveReader, config: Config, images: int) -> None:
    """Refuse, before any memory is taken, parameters and images that cannot be in the file."""
    needed = 4 * config.network.layout.size + KnownImages.BYTES * images
    if needed > archive.size:
        raise CheckpointError(
            f"{str(archive.path)!r} has {archive.size} bytes, but its parameters and images need {needed}"
        )
