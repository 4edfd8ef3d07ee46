"""Any tree of folders and files is scanned as the rules say, or refused with a reason."""

import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cnnbp.data import folder, walk
from cnnbp.data.folder import scan_folder
from cnnbp.data.layout import SPLIT_NAMES
from cnnbp.errors import DataError

FOLDERS = [
    "a",
    "b",
    "B",
    "train",
    "Training",
    "dev",
    "@eaDir",
    "val",
    "valid",
    "test",
    ".git",
    "__MACOSX",
    "x.png",
    "line\nbreak",
    "ü",
]
FILES = ["1.png", "2.JPG", "3.tiff", "notes.txt", "noextension", ".hidden.png", "._1.png", "Thumbs.db", "a", "train"]
REASONS = [
    "no class folders",
    "no train folder",
    "classes that training does not know",
    "has both",
    "move what is no split out of it",
    "splits inside its classes",
    "has one class folder",
]
HIDDEN = {"__MACOSX", "Thumbs.db", "@eaDir"}

paths = st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=3), st.sampled_from(FILES)).map(
    lambda parts: "/".join([*parts[0], parts[1]])
)
links = st.tuples(paths, st.lists(st.sampled_from([*FOLDERS, ".."]), max_size=3).map("/".join))


def written(root, files, links=()):
    """Write what does not stand in the way of something else."""
    for path in map(root.joinpath, files):
        if any(parent.is_file() for parent in path.parents) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for link, target in links:
        path = root / link
        if path.parent.is_dir() and not os.path.lexists(path):
            path.symlink_to(target or ".")


def visible_files(root):
    """Return the paths of all files that nothing hides, below `root`."""
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return [path for path in files if not any(part.startswith(".") or part in HIDDEN for part in path.parts)]


def is_in_splits(root):
    names = {path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")} - HIDDEN
    return bool(names) and {name.lower() for name in names} <= set(SPLIT_NAMES)


@given(st.lists(paths, max_size=12))
def test_every_visible_file_is_an_image_or_counted(files):
    with tempfile.TemporaryDirectory() as name:
        written(root := Path(name).resolve(), files)
        try:
            found = scan_folder(root, allow_empty=True)
        except DataError as error:
            if not any(reason in str(error) for reason in REASONS):
                raise
            return
        images = [image for split in found.splits.values() for image in split.names]
        deep = 2 + is_in_splits(root)
        visible = visible_files(root)
        expected = [path for path in visible if path.suffix.lower() in walk.EXTENSIONS and len(path.parts) >= deep]
        assert sorted(images) == sorted(path.as_posix() for path in expected)
        passed_over = found.skipped.get(walk.OTHER_TYPE, 0) + found.skipped.get(folder.LOOSE_IMAGE, 0)
        assert len(images) + passed_over == len(visible)
        for split in found.splits.values():
            deepest = deep - 2
            assert [Path(image).parts[deepest] for image in split.names] == [
                found.classes[label] for label in split.labels
            ]


@given(st.lists(paths, max_size=8), st.lists(links, max_size=4))
def test_links_lead_somewhere_or_are_an_error_but_never_round_in_circles(files, links):
    with tempfile.TemporaryDirectory() as name:
        written(root := Path(name), files, links)
        try:
            found = scan_folder(root, allow_empty=True)
        except DataError:
            return
        for split in found.splits.values():
            assert all(file.is_file() for file in split.files)
            assert len(set(split.names)) == len(split.names)
