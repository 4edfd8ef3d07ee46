"""The configurations that come along, as parameters of tests; those whose steps are long can be `make slow-test`'s."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "configs"
PATHS = sorted(FOLDER.glob("**/*.yaml"))
_LARGE = {"vgg", "cats_dogs", "cifar32", "photo64", "resnet20"}  # residual stays: it alone has batch norm then


def _name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


every_config = pytest.mark.parametrize("path", PATHS, ids=_name)
every_config_with_large_ones_slow = pytest.mark.parametrize(
    "path", [pytest.param(path, marks=pytest.mark.slow if path.stem in _LARGE else ()) for path in PATHS], ids=_name
)
