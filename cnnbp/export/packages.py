"""Packages that only an export needs."""

from importlib import import_module
from typing import Any

from cnnbp.errors import ConfigError


def needed(module: str) -> Any:
    """Import a module of the `onnx` extra. Raises ConfigError where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(
            f"this format needs the package {package!r}, which is not installed: pip install 'cnnbp[onnx]'"
        ) from error
