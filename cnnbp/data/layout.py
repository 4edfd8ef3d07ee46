"""How an image folder is laid out: in classes, in splits, or in a way that only looks like one of these."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from unicodedata import is_normalized, normalize

from cnnbp.data.walk import entries
from cnnbp.errors import DataError

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SPLITS = "cnnbp reads the folders train (or training), val (or valid, validation, dev) and test (or testing) as splits"
_MOST_NAMED = 6
_DEEPEST = 10


def split_called(name: str) -> str | None:
    """Return the split that a folder's name spells, in any letter case."""
    return SPLIT_NAMES.get(name.casefold())


def split_folders(root: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the folder of each split, of the folders in `root`; none where they are classes.

    Raises DataError for folders that look like splits and cannot be read as such.
    """
    if names and all(map(split_called, names)):
        return _one_each(root, names)
    like = {name: split for name in names if (split := _split_like(name))}
    if "train" in like.values() and any(_holds_folders_alone(root / name) for name in like):
        if len(like) < len(names):
            raise DataError(_stray(root, [*like], [name for name in names if name not in like]))
        if len(set(like.values())) > 1:
            raise DataError(f"{str(root)!r} has {listed(names)}, which look like splits; rename them: {SPLITS}")
    return {}


def _one_each(root: Path, names: Iterable[str]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for name in names:
        split = SPLIT_NAMES[name.casefold()]
        if split in splits:
            kind = {"train": "training", "val": "validation", "test": "test"}[split]
            raise DataError(f"{str(root)!r} has both {splits[split]!r} and {name!r}; keep one {kind} split")
        splits[split] = name
    return splits


def _split_like(name: str) -> str | None:
    """Return the split that a word of the name spells, as in training_set or seg-test."""
    words = re.split(r"[^a-z]+", re.sub(r"(set|s)$", "", name.casefold()))
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def _stray(root: Path, splits: Sequence[str], others: Sequence[str]) -> str:
    beside = f"{listed(others)} beside {'it' if len(splits) == 1 else 'them'}"
    return f"{str(root)!r} has {listed(splits)}, and {beside}: move what is no split out of it; {SPLITS}"


def _holds_folders_alone(folder: Path) -> bool:
    """Tell whether there are folders in a folder, and no images."""
    found = [*entries(folder, Counter())]
    return any(entry.is_folder for entry in found) and not any(entry.is_image for entry in found)


def refuse_splits_in_classes(root: Path, nested: Iterable[str]) -> None:
    """Raise DataError where class folders are divided into splits; `nested` are the folders in them, from `root`."""
    inside: dict[str, dict[str, str]] = {}
    for folder in nested:
        above, _, name = folder.rpartition("/")
        if split := split_called(name):
            inside.setdefault(above, {})[split] = name
    for above, splits in inside.items():
        if len(splits) > 1:
            told = " and ".join(repr(f"{above}/{name}") for name in splits.values())
            raise DataError(
                f"{str(root)!r} has splits inside its classes: {told}; put the classes into the splits, as "
                f"{splits.get('train', 'train')}/{above}"
            )


def refuse_wrapped(root: Path, folder: Path, name: str) -> None:
    """Raise DataError where the only class folder of `folder` is no class, but holds the classes or the splits."""
    inner, down = folder / name, 1
    while len(found := [*entries(inner, Counter())]) == 1 and found[0].is_folder and down < _DEEPEST:
        inner, down = found[0].path, down + 1
    folders = sorted(entry.name for entry in found if entry.is_folder)
    if len(folders) < 2 or any(entry.is_image for entry in found):
        return
    way_out = f"move these up into {str(folder)!r}"
    if folder == root:
        way_out = f"go {'one folder' if down == 1 else f'{down} folders'} down: {inner}"
    raise DataError(f"{str(folder)!r} has one class folder, {name!r}, and inside it {listed(folders)}; {way_out}")


def refuse_unknown(root: Path, found: Mapping[str, Iterable[str]], classes: Sequence[str]) -> None:
    """Raise DataError for class folders of a split that are not among the classes."""
    unknown = [(split, name) for split, names in found.items() for name in names if name not in classes]
    if unknown:
        told = ", ".join(f"{f'{split}/{name}'!r}{_meant(name, classes)}" for split, name in unknown)
        raise DataError(f"{str(root)!r} has classes that training does not know: {told}")


def _meant(name: str, classes: Sequence[str]) -> str:
    """Say which class a name may stand for, and what is different about it."""
    for known in classes:
        if normalize("NFC", name) == normalize("NFC", known):
            return f" (did you mean {known!r}? the training has it in Unicode's {_form(known)}, this is {_form(name)})"
        if _folded(name) == _folded(known):
            return f" (did you mean {known!r}? the letter case differs)"
    close = get_close_matches(name, classes, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def same_but_for_spelling(classes: Sequence[str]) -> list[str]:
    """Say which classes have names that most people would take for the same."""
    first: dict[str, str] = {}
    told = []
    for name in classes:
        other = first.setdefault(_folded(name), name)
        if other != name:
            same = normalize("NFC", name) == normalize("NFC", other)
            how = f"in their Unicode form ({_form(other)}, {_form(name)})" if same else "in letter case"
            told.append(f"the classes {other!r} and {name!r} differ only {how}")
    return told


def listed(names: Sequence[str]) -> str:
    """Return some names in a sentence."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(repr, names[:_MOST_NAMED])) + more


def _folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())


def _form(name: str) -> str:
    return next((form for form in ("NFC", "NFD") if is_normalized(form, name)), "mixed form")
