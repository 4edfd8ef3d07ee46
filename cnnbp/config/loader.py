"""From text to a configuration that has been checked as a whole."""

from collections.abc import Sequence
from os.path import realpath
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnbp.config.checks import data_problems, loss_problems, shape_problems
from cnnbp.config.messages import problems_of
from cnnbp.config.models import Config, Origin
from cnnbp.config.overrides import overridden
from cnnbp.config.problems import Mark, Problem, refusal
from cnnbp.config.tree import Node, find
from cnnbp.config.yaml_text import TextError, read_yaml, source_of
from cnnbp.errors import ConfigError

LARGEST_FILE = 1 << 20  # bytes


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and `key=value` overrides. Raises ConfigError with every problem at its place."""
    return parse_config(text_of(path), str(path), overrides)


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> Config:
    """Read YAML text from the file `source`. Raises ConfigError with every problem at its place.

    A relative data.path starts at that file's folder; in an override, at the working directory.
    """
    problems: list[Problem] = []
    try:
        root = read_yaml(text, source_of(text, source), problems)
    except TextError as error:
        raise refusal([*problems, error.problem]) from error
    for override in overrides:
        root = overridden(root, override, Config, problems)
    misread = {problem.mark for problem in problems}  # what follows from these need not be told
    config, found = _checked(root)
    problems += (problem for problem in found if problem.mark not in misread)
    if config is None or problems:
        raise refusal(problems)
    return _with_absolute_path(config, root, Path(source).absolute().parent)


def _checked(root: Node) -> tuple[Config | None, list[Problem]]:
    plain = root.plain()
    try:
        config = Config.model_validate(plain, strict=True)
    except ValidationError as error:
        return None, [*problems_of(error, root, Config), *_shape_problems_alone(plain, root)]
    config._origin = Origin(root)
    problems = [*shape_problems(config, root), *data_problems(config, root)]
    return config, problems or list(loss_problems(config, root))


def _shape_problems_alone(plain: Any, root: Node) -> list[Problem]:
    """Return the shape problems of a configuration that is wrong elsewhere; none if its layers are."""
    if not isinstance(plain, dict):
        return []
    network = {key: plain[key] for key in ("input", "layers") if key in plain}
    try:
        config = Config.model_validate({**network, "loss": "mean_squared_error"}, strict=True)
    except ValidationError:
        return []
    return list(shape_problems(config, root))


def _with_absolute_path(config: Config, root: Node, folder: Path) -> Config:
    if config.data is None or config.data.path is None:
        return config
    if config.data.path.is_absolute():
        return config
    is_from_file = find(root, ("data", "path")).node.mark.source.is_file
    return config.with_data(Path(realpath((folder if is_from_file else Path.cwd()) / config.data.path)))


def text_of(path: Path) -> str:
    """Return what a file of text holds. Raises ConfigError where it cannot be read or is no UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except IsADirectoryError as error:
        raise ConfigError(f"{str(path)!r} is a folder; a configuration is a YAML file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot read the configuration {str(path)!r}: {reason}") from error
    if len(raw) > LARGEST_FILE:
        raise ConfigError(f"{str(path)!r} is larger than 1 MiB: that is no configuration")
    return _decoded(raw, str(path))


def _decoded(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:4]:
        raise ConfigError(f"{name!r} looks like UTF-16 or UTF-32: save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        source = source_of(raw.decode("utf-8-sig", errors="replace"), name)
        before = source_of(raw[: error.start].decode("utf-8-sig"), name).lines
        mark = Mark(source, len(before) - 1, len(before[-1]))
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise refusal([Problem(message, mark)]) from error
