"""The text of a first configuration, with a word on each part, fitted to an image folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

from cnnbp.config.dump import yaml_word
from cnnbp.config.models import spelled_folder
from cnnbp.config.problems import shortened
from cnnbp.data.folder import scan_folder
from cnnbp.data.survey import Survey, survey_images
from cnnbp.errors import DataError

LARGEST_SIDE = 64
_FIRST_FILTERS = 16
_SMALLEST_MAP = 4  # pooling stops here
_CLASSES_NAMED = 6
_COMMENTS_AT = 64  # column

Line = tuple[str, str]  # YAML, and the comment behind it


@dataclass(frozen=True)
class _Folder:
    """What a starter must know of the data."""

    path: str  # as the configuration spells it
    classes: Sequence[str]
    images: Survey


def starter_config(data: Path, folder: Path) -> str:
    """Return YAML with comments that trains on an image folder; the file will lie in `folder`.

    Raises DataError for an image folder that cannot be used.
    """
    facts = _look_into(data, folder)
    height, width = _network_size(facts.images)
    lines = [*_head(facts, height, width), *_layers(facts, height, width), *_tail(facts)]
    return _title(facts) + "".join(_line(code, comment) for code, comment in lines)


def _look_into(data: Path, folder: Path) -> _Folder:
    found = scan_folder(data)
    if len(found.classes) < 2:
        raise DataError(f"{str(data)!r} has one class folder, {found.classes[0]!r}: there is nothing to tell apart")
    path = yaml_word(spelled_folder(Path(relpath(data.absolute(), folder.absolute()))))
    return _Folder(path, found.classes, survey_images(found.splits["train"].files))


def _network_size(images: Survey) -> tuple[int, int]:
    """Return (height, width) near the images' own, at most 64, that halve well."""
    scale = min(1.0, LARGEST_SIDE / max(images.height, images.width))
    return _halving_well(images.height * scale), _halving_well(images.width * scale)


def _halving_well(side: float) -> int:
    step = 8 if side >= 32 else 4 if side >= 12 else 2
    return max(2, round(side / step) * step)


def _line(code: str, comment: str) -> str:
    return f"{code:<{_COMMENTS_AT}}# {comment}\n" if comment else f"{code}\n"


def _title(facts: _Folder) -> str:
    names = ", ".join(shortened(name) for name in facts.classes[:_CLASSES_NAMED])
    more = ", …" if len(facts.classes) > _CLASSES_NAMED else ""
    kind = "grey" if facts.images.channels == 1 else "colour"
    return (
        f"# A small convolutional network for {kind} images of {len(facts.classes)} classes: {names}{more}\n"
        "# `cnnbp shapes` shows what becomes of an image in it, `cnnbp schema` every option there is.\n"
    )


def _head(facts: _Folder, height: int, width: int) -> Iterator[Line]:
    yield "seed: 0", "the same seed gives the same run"
    yield f"input: {{channels: {facts.images.channels}, height: {height}, width: {width}}}", ""
    yield "data:", ""
    yield f"  path: {facts.path}", ""
    yield "  fit: stretch", "images of another size; or crop, pad"
    yield "  validation: 0.2", "of each class, if there is no val folder"
    yield "  normalize: auto", "mean and spread of the training images"
    if facts.images.photos:
        shift = max(1, min(height, width) // 16)
        yield f"  augment: [{{flip: horizontal}}, {{shift: {shift}}}]", "a photo shows the same, mirrored or moved"
    else:
        yield "  augment: []", "such as [{flip: horizontal}, {shift: 2}, {rotate: 10}]"


def _layers(facts: _Folder, height: int, width: int) -> Iterator[Line]:
    yield "layers:", f"{facts.images.channels}×{height}×{width}"
    filters = _FIRST_FILTERS
    while True:
        yield f"  - conv2d: {{filters: {filters}, kernel: 3, pad: same, bias: false}}", f"{filters}×{height}×{width}"
        yield "  - batchnorm", "has a bias of its own"
        yield "  - relu", ""
        height, width = height // 2, width // 2
        yield "  - maxpool2d: {kernel: 2}", f"{filters}×{height}×{width}"
        if min(height, width) <= _SMALLEST_MAP:
            break
        filters *= 2
    yield "  - flatten", str(filters * height * width)
    yield "  - dropout: {p: 0.25}", ""


def _tail(facts: _Folder) -> Iterator[Line]:
    if len(facts.classes) == 2:
        yield "  - dense: {units: 1}", f"the logit of {shortened(facts.classes[1])}"
        yield "loss: binary_cross_entropy", "applies the sigmoid itself"
    else:
        yield f"  - dense: {{units: {len(facts.classes)}}}", "a logit for each class"
        yield "loss: cross_entropy", "applies softmax itself"
    yield "train:", ""
    yield "  epochs: 30", ""
    yield "  batch_size: 32", ""
    yield "  optimizer: {adam: {lr: 3e-3}}", "or sgd: {lr: 0.05, momentum: 0.9}, rmsprop, adamw"
    yield "  schedule: {cosine: {warmup: 1}}", "rises for one epoch, then falls to 0 at the last"
    yield "  # early_stopping: {patience: 5}", ""
