"""`import:` in a configuration: Python files and modules whose layers it may name. To import one is to run it."""

import importlib.util
import linecache
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from os.path import expanduser
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from cnnbp.config.own_guard import guarded
from cnnbp.errors import ConfigError
from cnnbp.files import opened
from cnnbp.layers import SPELLINGS, Add, Layer
from cnnbp.layers.own import Layers

LARGEST_FILE = 1 << 20  # bytes

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_TYPE = re.compile(r"[^\W\d]\w*")
_TAKEN = {*SPELLINGS, Add.type}


@dataclass(frozen=True)
class OwnCode:
    """A file of layers: its name without a folder, or the module's; its text; and where it was read."""

    name: str
    source: str
    file: str = field(compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.source.encode()).hexdigest()

    @property
    def is_file(self) -> bool:
        """Whether it is a file by its path, not a module by its name."""
        return self.name.endswith(".py")


# From an entry of `import`, and whether it stands in the file or was overridden, to its code; raises ConfigError.
Find = Callable[[str, bool], OwnCode]


def beside(folder: Path) -> Find:
    """Find files below a folder, or below the working directory for an override, and modules that are installed."""

    def find(entry: str, in_file: bool) -> OwnCode:
        if entry.endswith(".py"):
            path = (folder if in_file else Path.cwd()) / expanduser(entry)  # noqa: PTH111  (Path's own may raise)
            return OwnCode(path.name, _text_of(path), str(path))
        return _module_code(entry)

    return find


def carried(codes: Sequence[OwnCode]) -> Find:
    """Find what a checkpoint carries, by its name; a module must be the one that is installed."""
    known = {code.name: code for code in codes}

    def find(entry: str, in_file: bool) -> OwnCode:
        name = Path(entry).name if entry.endswith(".py") else entry
        if name not in known:
            there = ", ".join(known) or "none"
            raise ConfigError(f"{name!r} is not among the imported files that belong to it: {there}")
        code = known[name]
        if not code.is_file and _module_code(name).digest != code.digest:
            raise ConfigError(f"the module {name!r} is another one than the network was trained with")
        return code

    return find


def nothing(entry: str, in_file: bool) -> OwnCode:
    """Find nothing: where no code may be run."""
    raise ConfigError(f"{entry!r} is Python code: it is run only for a configuration that the command line names")


@cache
def layers_of(code: OwnCode) -> Layers:
    """Run a file, once, and return the layers that it defines by their type. Raises ConfigError."""
    module = _run(code)
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Layer)]
    own = [kind for kind in dict.fromkeys(classes) if kind.__module__ == module.__name__]
    for kind in own:
        guarded(kind, code.name)
    layers = {_type_of(kind, code): kind for kind in own if not kind.__name__.startswith("_")}
    if not layers:
        raise ConfigError(f"{code.name} defines no layer: a class that derives from cnnbp.layers.Layer")
    return layers


def merged(codes: Sequence[OwnCode]) -> Layers:
    """Return the layers of several files. Raises ConfigError where two files, or two layers, have one name."""
    layers: dict[str, type[Layer]] = {}
    for code in codes:
        if [other.name for other in codes].count(code.name) > 1:
            raise ConfigError(f"two imported files are called {code.name}: give one another name")
        for type_, kind in layers_of(code).items():
            if layers.setdefault(type_, kind) is not kind:
                raise ConfigError(f"two imported files define a layer {type_!r}, {code.name} is the second")
    return layers


def _type_of(kind: type[Layer], code: OwnCode) -> str:
    type_ = vars(kind).get("type")
    if not isinstance(type_, str) or not _TYPE.fullmatch(type_):
        raise ConfigError(f'{code.name}: {kind.__name__} needs a `type`, how a configuration spells it: type = "swish"')
    if type_ in _TAKEN:
        raise ConfigError(f"{code.name}: {kind.__name__} has the type {type_!r}, as cnnbp's own layer: give it another")
    return type_


def _run(code: OwnCode) -> ModuleType:
    """Run a file as a module of its own; what it prints goes to stderr. Raises ConfigError with its line."""
    name = f"cnnbp_own_{code.digest[:16]}" if code.is_file else code.name
    try:
        with redirect_stdout(sys.stderr):
            if not code.is_file:
                return importlib.import_module(name)
            linecache.cache[code.file] = len(code.source), None, code.source.splitlines(keepends=True), code.file
            module = sys.modules[name] = ModuleType(name)
            module.__file__ = code.file
            exec(compile(code.source, code.file, "exec", dont_inherit=True), vars(module))
            return module
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit among them
        sys.modules.pop(name, None) if code.is_file else None
        raise ConfigError(_said(error, code)) from error


def _said(error: BaseException, code: OwnCode) -> str:
    """Say what is wrong with a file, and in which line of it."""
    if isinstance(error, SyntaxError) and error.filename == code.file:
        return f"{code.name}, line {error.lineno}: {error.msg}\n    {(error.text or '').strip()}"
    lines = [frame for frame in extract_tb(error.__traceback__) if frame.filename == code.file]
    place = f"{code.name}, line {lines[-1].lineno}" if lines else code.name
    what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".removesuffix(": ")
    return f"{place}: {what}" + (f"\n    {lines[-1].line}" if lines and lines[-1].line else "")


def _module_code(name: str) -> OwnCode:
    if not _MODULE.fullmatch(name):
        raise ConfigError(f"{name!r} is neither a .py file nor the name of a module")
    try:
        spec = importlib.util.find_spec(name)
    except Exception as error:  # a package around it is run, and may raise anything
        raise ConfigError(f"cannot import {name}: {type(error).__name__}: {error}") from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ConfigError(f"there is no module {name!r} in Python; a file is written with its .py, from this folder on")
    return OwnCode(name, _text_of(Path(spec.origin)), spec.origin)


def _text_of(path: Path) -> str:
    try:
        with opened(path) as file:
            raw = file.read(LARGEST_FILE + 1)
        if len(raw) > LARGEST_FILE:
            raise ConfigError(f"{str(path)!r} is larger than 1 MiB")
        return raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read {str(path)!r}: {reason}") from error
