"""A configuration as it is written: plain values that know their places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnbp.config.problems import Mark
from cnnbp.config.scalars import Scalar

Key = int | str
Location = tuple[Key, ...]


@dataclass(frozen=True)
class YamlValue:
    """A value in its place; `size` counts it and all that is in it, aliases written out."""

    mark: Mark
    value: "Scalar | tuple[YamlValue, ...] | Mapping[str, Entry]"
    size: int = 1

    def plain(self) -> Any:
        """Return the value without places: dicts, tuples and scalars."""
        if isinstance(self.value, Mapping):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(node.plain() for node in self.value)
        return self.value

    @property
    def children(self) -> "tuple[YamlValue, ...]":
        """The values of a list or of a mapping."""
        if isinstance(self.value, Mapping):
            return tuple(entry.node for entry in self.value.values())
        return self.value if isinstance(self.value, tuple) else ()


@dataclass(frozen=True)
class Entry:
    """The place of a key, and its value."""

    key: Mark
    node: YamlValue


@dataclass(frozen=True)
class Place:
    """How far a location leads in the text: `key` is where the value's key stands, or the value if it has none.

    `is_exact` tells whether the location's last step was found; in the middle, steps are passed over.
    """

    path: Location
    node: YamlValue
    key: Mark
    is_exact: bool

    @property
    def word(self) -> Mark:
        """Where a choice's name stands: the only key of its value, or its value."""
        return _only_key(self.node)


def find(root: YamlValue, location: Sequence[Key]) -> Place:
    """Follow a location through the text; steps that lead nowhere are passed over."""
    path: Location = ()
    node, key, is_exact = root, root.mark, True
    for step in location:
        if isinstance(node.value, Mapping) and isinstance(step, str) and step in node.value:
            key, node = node.value[step].key, node.value[step].node
        elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            key = _only_key(node)
        else:
            is_exact = False
            continue
        path, is_exact = (*path, step), True
    return Place(path, node, key, is_exact)


def culprit(root: YamlValue, location: Sequence[Key]) -> Mark:
    """Return where to point for something that is wrong with a whole layer: at an override in it, else at its key."""
    place = find(root, location)
    return _override_in(place.node) or place.key


def _only_key(node: YamlValue) -> Mark:
    if isinstance(node.value, Mapping) and len(node.value) == 1:
        return next(iter(node.value.values())).key
    return node.mark


def _override_in(node: YamlValue) -> Mark | None:
    if not node.mark.source.is_file:
        return node.mark
    return next((mark for child in node.children if (mark := _override_in(child))), None)
