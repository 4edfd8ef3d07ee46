"""Files of others made an image folder: looked through once to know what there is, then again to write it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnbp.data.folder import scan_folder
from cnnbp.data.imports.containers import refusing
from cnnbp.data.imports.contents import Contents
from cnnbp.data.imports.new_folder import new_folder
from cnnbp.errors import DataError

Progress = Callable[[int, int], None]  # how many images of how many are written


@dataclass(frozen=True)
class Imported:
    """What has become of some files: the folder, its classes, the images of each split ("" without splits).

    `skipped` counts, by reason, the files that are not in it.
    """

    folder: Path
    classes: tuple[str, ...]
    splits: dict[str, int]
    skipped: dict[str, int]


def import_files(
    files: Sequence[Path],
    target: Path,
    *,
    classes: Sequence[str] = (),
    coarse: bool = False,
    progress: Progress = lambda done, total: None,
) -> Imported:
    """Write what images the files hold as the image folder `target`, which must not be there.

    `classes` name the labels 0, 1, …; `coarse` takes CIFAR-100's 20 classes. Raises DataError for whatever is wrong
    with a file, and for what is no image folder in the end, ConfigError for `classes`. Nothing is then left behind.
    """
    found = Contents(classes, coarse)
    for file in files:
        with refusing(file):
            found.through(file)
    found.check()
    with new_folder(target) as folder:
        for file in files:
            with refusing(file):
                for _ in found.write(file, folder):
                    progress(folder.images, found.images)
        try:
            scan = scan_folder(folder.root)
        except DataError as error:
            told = str(error).replace(str(folder.root), str(target))
            raise DataError(f"the files hold no image folder: {told}") from error
    splits = {name: len(split.names) for name, split in scan.splits.items()}
    return Imported(target, scan.classes, splits, dict(found.skipped))
