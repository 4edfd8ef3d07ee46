"""From text to a configuration that has been checked as a whole."""

import os
from collections.abc import Sequence
from os.path import realpath
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnbp.config.checks import data_problems, freeze_problems, loss_problems, shape_problems
from cnnbp.config.messages import problems_of
from cnnbp.config.models import Config, Origin
from cnnbp.config.overrides import overridden
from cnnbp.config.own_layers import Find, OwnCode, beside, merged, nothing
from cnnbp.config.problems import Mark, Problem, described, refusal
from cnnbp.config.tree import YamlValue, find
from cnnbp.config.yaml_text import TextError, read_yaml, source_of
from cnnbp.errors import ConfigError
from cnnbp.layers.own import Layers, knowing

IMPORT = "import"
LARGEST_FILE = 1 << 20  # bytes


def load_config(path: Path, overrides: Sequence[str] = (), *, may_import: bool = False) -> Config:
    """Read a YAML file and `key=value` overrides. Raises ConfigError with every problem at its place.

    What it imports is run only with `may_import`: for a file that the user has named, not for one that is found.
    """
    find_code = beside(path.absolute().parent) if may_import else nothing
    return parse_config(text_of(path), str(path), overrides, find_code)


def read_plain(path: Path) -> Any:
    """Return what a YAML file says, neither checked nor imported. Raises ConfigError for what is no YAML."""
    text, problems = text_of(path), list[Problem]()
    try:
        root = read_yaml(text, source_of(text, str(path)), problems)
    except TextError as error:
        raise refusal([*problems, error.problem]) from error
    if problems:
        raise refusal(problems)
    return root.plain()


def parse_config(text: str, source: str, overrides: Sequence[str] = (), find_code: Find = nothing) -> Config:
    """Read YAML text from the file `source`. Raises ConfigError with every problem at its place.

    A relative data.path starts at that file's folder; in an override, at the working directory. What `import` names is
    run, if `find_code` finds it.
    """
    problems: list[Problem] = []
    try:
        root = read_yaml(text, source_of(text, source), problems)
    except TextError as error:
        raise refusal([*problems, error.problem]) from error
    imports, others = _divided(overrides)
    for override in imports:
        root = overridden(root, override, Config, problems)
    code, layers = _imported(root, find_code, problems)
    with knowing(layers):
        for override in others:
            root = overridden(root, override, Config, problems)
        misread = {problem.mark for problem in problems}  # what follows from these need not be told
        config, found = _checked(root)
    problems += (problem for problem in found if problem.mark not in misread)
    if config is None or problems:
        raise refusal(problems)
    config._code = code
    return _with_absolute_path(config, root, Path(source).absolute().parent)


def _divided(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the overrides of `import`, which decide on what others may say, and the others."""
    of_import = [override for override in overrides if override.partition("=")[0] == IMPORT]
    return of_import, [override for override in overrides if override not in of_import]


def _imported(root: YamlValue, find_code: Find, problems: Sequence[Problem]) -> tuple[tuple[OwnCode, ...], Layers]:
    """Run what the configuration imports. Raises ConfigError at once where that fails: no layer of it is known then."""
    place = find(root, (IMPORT,))
    if not place.is_exact:
        return (), {}
    entries = place.node.children
    if not isinstance(place.node.value, tuple) or not all(isinstance(entry.value, str) for entry in entries):
        message = f"import must be a list of Python files and modules, not {described(place.node.plain())}"
        raise refusal([*problems, Problem(message, place.node.mark)])
    found: list[OwnCode] = []
    layers: Layers = {}
    for entry in entries:
        try:
            found.append(find_code(str(entry.value), entry.mark.source.is_file))
            layers = merged(found)
        except ConfigError as error:
            raise refusal([*problems, Problem(str(error), entry.mark)]) from error
    return tuple(found), layers


def _checked(root: YamlValue) -> tuple[Config | None, list[Problem]]:
    plain = root.plain()
    try:
        config = Config.model_validate(plain, strict=True)
    except ValidationError as error:
        return None, [*problems_of(error, root, Config), *_shape_problems_alone(plain, root)]
    config._origin = Origin(root)
    problems = [*shape_problems(config, root), *data_problems(config, root)]
    return config, problems or [*loss_problems(config, root), *freeze_problems(config, root)]


def _shape_problems_alone(plain: Any, root: YamlValue) -> list[Problem]:
    """Return the shape problems of a configuration that is wrong elsewhere; none if its layers are."""
    if not isinstance(plain, dict):
        return []
    network = {key: plain[key] for key in ("input", "layers") if key in plain}
    try:
        config = Config.model_validate({**network, "loss": "mean_squared_error"}, strict=True)
    except ValidationError:
        return []
    return list(shape_problems(config, root))


def _with_absolute_path(config: Config, root: YamlValue, folder: Path) -> Config:
    if config.data is None or config.data.path is None:
        return config
    if config.data.path.is_absolute():
        return config
    is_from_file = find(root, ("data", "path")).node.mark.source.is_file
    return config.with_data(Path(realpath((folder if is_from_file else Path.cwd()) / config.data.path)))


def text_of(path: Path) -> str:
    """Return what a file of text holds. Raises ConfigError where it cannot be read or is no UTF-8."""
    try:
        with open(path, "rb", opener=_opened_at_once) as file:
            raw = file.read(LARGEST_FILE + 1)
    except IsADirectoryError as error:
        raise ConfigError(f"{str(path)!r} is a folder; a configuration is a YAML file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot read the configuration {str(path)!r}: {reason}") from error
    if len(raw) > LARGEST_FILE:
        raise ConfigError(f"{str(path)!r} is larger than 1 MiB: that is no configuration")
    return _decoded(raw, str(path))


def _opened_at_once(path: str, flags: int) -> int:
    """Open a pipe as well, such as the shell's <(…), but never wait for somebody to write to it."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(descriptor, True)
    return descriptor


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
