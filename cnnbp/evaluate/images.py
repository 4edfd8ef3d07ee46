"""Which images a trained network is evaluated on: never those that trained it, unless they are asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.duplicates import shared
from cnnbp.data.folder import ImageFolder, Split, scan_folder
from cnnbp.data.store import ImageSet, decode_split
from cnnbp.errors import ConfigError, DataError
from cnnbp.training.datasets import Subset
from cnnbp.training.known import FolderChanges, KnownImages, Role, Roles
from cnnbp.training.loading import data_config, image_format
from cnnbp.training.trained import Trained

ALL = "all"  # of a folder that is not the run's own: every image but those that trained the run


class SplitName(StrEnum):
    """What can be evaluated. By default the first of test, val and train that there is."""

    TEST = "test"
    VAL = "val"
    TRAIN = "train"
    NEW = "new"


_ROLES = {SplitName.TEST: Role.TEST, SplitName.VAL: Role.VAL, SplitName.TRAIN: Role.TRAIN, SplitName.NEW: Role.NEW}
_WORDS = {
    Role.TRAIN: "that trained it (--split train)",
    Role.VAL: "that validated it",
    Role.TEST: "of its test split",
    Role.NEW: "new ones (--split new)",
    Role.CHANGED: "with other pixels than the run saw under their names",
    Role.COPY: "that are copies of others",
}


@dataclass(frozen=True, eq=False)
class Chosen:
    """The images to evaluate, and what else is in the folder: `roles` counts what the decoded images are to the run.

    Of the run's own folder, `of` is how many images the run has had in their place, and `changes` says how the folder
    differs from what it was; both are None for another folder.
    """

    subset: Subset
    folder: ImageFolder
    roles: Mapping[Role, int]
    of: int | None = None
    changes: FolderChanges | None = None


def images_to_evaluate(
    trained: Trained,
    data: Path | None = None,
    split: SplitName | None = None,
    *,
    skip_bad: bool = False,
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Chosen:
    """Scan a folder, by default the run's own, and decode one split of it: `split`, or the first of test, val, train.

    The run knows by their pixels which images trained, validated and tested it, whatever has become of the folder.
    Without splits, another folder is evaluated as a whole, but for images that trained. Raises ConfigError for a split
    that is not there; DataError for a class that the run does not know, for images that cannot be read, and where
    there are none.
    """
    config, known = trained.for_images(data), trained.checkpoint.known
    section = data_config(config)
    assert section.path is not None
    folder = scan_folder(section.path, classes=trained.checkpoint.classes, allow_empty=True)
    wanted = split or next((name for name in (SplitName.TEST, SplitName.VAL) if name in folder.splits), None)
    source = _source(folder, wanted, known)

    def tell(done: int) -> None:
        if progress:
            progress(wanted or "images", done, len(source.files))

    images = decode_split(
        source,
        image_format(config),
        skip_bad=skip_bad or section.skip_bad,
        progress=tell,
        threads=threads,
        cache_bytes=section.cache,
    )
    in_place = _same_folder(section.path, trained)
    own = in_place or _is_own(images, known, wanted)
    roles = known.roles_in_place(images) if own else known.roles_of(images.digests)
    if wanted is None:
        name, chosen = _held_out(roles, own=own, has_held_out=len(known.having(Role.VAL)) > 0)
    else:
        name, chosen = wanted, _wanted(roles, _ROLES[wanted], any_unseen=wanted in folder.splits, own=own)
    if not chosen.any():
        raise DataError(_nothing(folder, name, roles, known))
    subset = Subset(name, images, np.flatnonzero(chosen))
    if not own:
        return Chosen(subset, folder, _counts(roles))
    role = _ROLES[SplitName(name)]
    expected = _expected(folder, wanted) if in_place else [role]
    return Chosen(subset, folder, _counts(roles), len(known.having(role)), FolderChanges.of(known, images, *expected))


def _source(folder: ImageFolder, wanted: SplitName | None, known: KnownImages) -> Split:
    """Return the images among which the wanted ones are. Raises ConfigError for a split that there is not."""
    splits = folder.splits
    if wanted == SplitName.NEW:
        names = tuple(chain.from_iterable(split.names for split in splits.values()))
        return Split(folder.root, names, np.concatenate([split.labels for split in splits.values()]))
    if wanted is None or (wanted == SplitName.VAL and wanted not in splits and len(known.having(Role.VAL))):
        return splits["train"]
    if wanted not in splits:
        raise ConfigError(f"{str(folder.root)!r} has no {wanted} split; there is {', '.join((*splits, SplitName.NEW))}")
    return splits[wanted]


def _is_own(images: ImageSet, known: KnownImages, wanted: SplitName | None) -> bool:
    """Tell by its images whether a folder is the run's own: it holds most of those that the run knows in that role."""
    expected = known.having(Role.TRAIN if wanted == SplitName.NEW else _ROLES[wanted or SplitName.VAL])
    found = shared(expected.pixels, images.digests)
    return bool(found.any()) and 2 * int(found.sum()) >= len(expected)


def _held_out(roles: Roles, *, own: bool, has_held_out: bool) -> tuple[str, NDArray[np.bool_]]:
    """Return what can vouch for the run in a folder without splits; what trained it where there is nothing else."""
    if own and has_held_out:
        return SplitName.VAL, roles == Role.VAL
    if not own and (roles != Role.TRAIN).any():
        return ALL, roles != Role.TRAIN
    return SplitName.TRAIN, roles == Role.TRAIN


def _wanted(roles: Roles, role: Role, *, own: bool, any_unseen: bool) -> NDArray[np.bool_]:
    """Return the images of a role; of a val or test folder where none is the run's own, all that did not train."""
    theirs = roles == role
    if role in (Role.VAL, Role.TEST) and any_unseen and not (own and theirs.any()):
        return np.isin(roles, (Role.VAL, Role.TEST, Role.NEW))
    return theirs


def _expected(folder: ImageFolder, wanted: SplitName | None) -> list[Role]:
    """Return which of the run's images should be where `wanted` is looked for."""
    if wanted == SplitName.NEW:
        return [Role.TRAIN, Role.VAL, Role.TEST]
    if wanted in (SplitName.TEST, SplitName.VAL) and wanted in folder.splits:
        return [_ROLES[wanted]]
    return [Role.TRAIN] if "val" in folder.splits else [Role.TRAIN, Role.VAL]


def _nothing(folder: ImageFolder, name: str, roles: Roles, known: KnownImages) -> str:
    """Say why there is nothing to evaluate, and what there is instead."""
    there = ", ".join(f"{count} {_WORDS[role]}" for role, count in _counts(roles).items())
    needed = (
        f": none of the {len(expected)} that it knows" if (expected := known.having(_ROLES[SplitName(name)])) else ""
    )
    return f"{str(folder.root)!r} has no {name} images of the run{needed}; it has {there or 'none of its classes'}"


def _counts(roles: Roles) -> dict[Role, int]:
    return {role: count for role in Role if (count := int((roles == role).sum()))}


def _same_folder(path: Path, trained: Trained) -> bool:
    own = trained.config.data
    return own is not None and own.path is not None and own.path.resolve() == path.resolve()
