"""Layers that are not cnnbp's own: those that a configuration has imported are known while it is read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from cnnbp.layers.base import Layer

Layers = Mapping[str, type[Layer]]  # by their type, which is how a configuration spells them

_KNOWN: ContextVar[Layers | None] = ContextVar("layers", default=None)


def known_layers() -> Layers:
    """Return the layers that may be spelled here besides cnnbp's own."""
    return _KNOWN.get() or {}


@contextmanager
def knowing(layers: Layers) -> Iterator[None]:
    """A context in which these layers may be spelled, too."""
    token = _KNOWN.set(layers)
    try:
        yield
    finally:
        _KNOWN.reset(token)
