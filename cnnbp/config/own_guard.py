"""What somebody's own layer raises, or returns and must not, is told with its file and line."""

from collections.abc import Callable, Iterator
from functools import wraps
from traceback import extract_tb
from typing import Any

import numpy as np

from cnnbp.errors import CnnbpError, ConfigError
from cnnbp.layers import Layer
from cnnbp.layers.base import CoupledLayer, PiecewiseLayer

# What is no pair, and how it should be.
_PAIRS = {
    "forward": "y and the cache for backward",
    "backward": "∂L/∂x, and a dict of the parameters' gradients",
    "apply": "y and the cache for backward",
    "gradient_statistics": "its sums, and a dict of the parameters' gradients",
}
_UNGUARDED = {"onnx"}  # it raises NotImplementedError to say that there is no such form
_METHODS = {
    name
    for kind in (Layer, PiecewiseLayer, CoupledLayer)
    for name, value in vars(kind).items()
    if callable(value) and not name.startswith(("_", "model_"))
} - _UNGUARDED


def guarded(kind: type[Layer], file: str) -> None:
    """Let a class's own methods raise ConfigError alone, and assume of it what is safe where it says nothing."""
    for name in _METHODS & vars(kind).keys():
        method = vars(kind)[name]
        if callable(method):
            setattr(kind, name, _guarded(method, kind.__name__, name, file))
    for name in ("forward", "backward"):
        if getattr(kind, name) is getattr(Layer, name):
            setattr(kind, name, _missing(kind.__name__, name, file))
    for promise in ("caches_output", "output_is_view"):  # else what it keeps might be overwritten
        if promise not in vars(kind):
            setattr(kind, promise, True)


def _guarded(method: Callable[..., Any], kind: str, name: str, file: str) -> Callable[..., Any]:
    @wraps(method)
    def guard(*arguments: Any, **options: Any) -> Any:
        try:
            result = method(*arguments, **options)
        except (CnnbpError, MemoryError):
            raise
        except Exception as error:
            if any(map(np.iscomplexobj, _arrays(arguments))):
                raise  # the gradient check asks with complex numbers whether they are understood
            raise ConfigError(_said(error, method, kind, name, file)) from error
        if name in _PAIRS and not (isinstance(result, tuple) and len(result) == 2):
            place = f"{file}, line {method.__code__.co_firstlineno}"
            raise ConfigError(f"{place}: {kind}.{name} returns {_described(result)}, it must return {_PAIRS[name]}")
        if name == "output_shape" and not _is_shape(result):
            place = f"{file}, line {method.__code__.co_firstlineno}"
            raise ConfigError(f"{place}: {kind}.{name} returns {ascii(result)[:60]}, it must return a tuple of sizes")
        return result

    return guard


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(size, int | np.integer) and size > 0 for size in value)


def _missing(kind: str, name: str, file: str) -> Callable[..., Any]:
    def missing(*_: Any) -> Any:
        raise ConfigError(f"{file}: {kind} has no {name}; it must return {_PAIRS[name]}")

    return missing


def _said(error: Exception, method: Callable[..., Any], kind: str, name: str, file: str) -> str:
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename == method.__code__.co_filename]
    where = frames[-1] if frames else None
    place = f"{file}, line {where.lineno if where else method.__code__.co_firstlineno}, in {kind}.{name}"
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    return f"{place}: {what}" + (f"\n    {where.line}" if where and where.line else "")


def _described(result: Any) -> str:
    if isinstance(result, tuple):
        return f"{len(result)} things"
    return "nothing" if result is None else f"one {type(result).__name__}"


def _arrays(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple):
            yield from _arrays(value)
        elif isinstance(value, np.ndarray):
            yield value
