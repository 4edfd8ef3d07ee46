"""YAML to a tree of plain values that know their places. Built from the parser's events, so that nothing is composed
before depth, aliases, tags and duplicate keys have been looked at.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from cnnbp.config.problems import Mark, Problem, Source, described, escaped
from cnnbp.config.scalars import Scalar, resolve

MOST_NODES = 20_000
DEEPEST = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """A key's place, and its value."""

    key: Mark
    node: "Node"


@dataclass(frozen=True)
class Node:
    """A value in its place; `size` counts it and all that is in it, aliases written out."""

    mark: Mark
    value: "Scalar | tuple[Node, ...] | Mapping[str, Entry]"
    size: int = 1

    def plain(self) -> Any:
        """Return the value without places: dicts, tuples and scalars."""
        if isinstance(self.value, Mapping):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(node.plain() for node in self.value)
        return self.value


class TextError(Exception):
    """A text that cannot be read further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def source_of(text: str, name: str, *, is_file: bool = True) -> Source:
    """Cut a text into the lines that its parser counts."""
    return Source(escaped(name), tuple(_LINE_BREAK.split(text)), is_file)


def read_yaml(text: str, source: Source, problems: list[Problem]) -> Node:
    """Return the one document of a text; problems that leave a tree are added to the list. Raises TextError."""
    _check_characters(text, source)
    return _Builder(text, source, problems).document()


def _check_characters(text: str, source: Source) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        before = _LINE_BREAK.split(text[: found.start()])
        mark = Mark(source, len(before) - 1, len(before[-1]))
        raise TextError(Problem(f"the character {escaped(found[0])} is not allowed in YAML", mark))


@dataclass
class _Builder:
    text: str
    source: Source
    problems: list[Problem]
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None: still open

    def document(self) -> Node:
        events = self._events()
        first = next(events)
        if isinstance(first, yaml.StreamEndEvent):
            raise TextError(Problem("the configuration is empty", Mark(self.source, 0, 0)))
        root = self._node(next(events), events, depth=0)
        next(events)  # the end of the document
        following = next(events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise TextError(Problem("one document is needed, here begins a second", self._mark(following)))
        return root

    def _events(self) -> Iterator[Any]:
        """Yield the parser's events without the start of the stream."""
        events = yaml.parse(self.text, Loader=_LOADER)
        try:
            yield from (event for event in events if not isinstance(event, yaml.StreamStartEvent))
        except yaml.MarkedYAMLError as error:
            place = error.problem_mark or error.context_mark
            mark = Mark(self.source, place.line, place.column) if place else Mark(self.source, 0, 0)
            context = f" ({error.context})" if error.context else ""
            raise TextError(Problem(f"not YAML: {error.problem}{context}", mark)) from error

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, mark)
        if event.tag is not None:
            self._report(f"tags are not allowed: {escaped(event.tag)}", mark)
        if depth > DEEPEST:
            raise TextError(Problem(f"nested deeper than {DEEPEST} levels", mark))
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node = self._value(event, events, mark, depth)
        if node.size > MOST_NODES:
            raise TextError(Problem(f"more than {MOST_NODES} values, aliases written out", mark))
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, mark: Mark) -> Node:
        node = self.anchors.get(anchor)
        if node is None:
            inside = " stands inside what it refers to" if anchor in self.anchors else " has no anchor before it"
            self._report(f"the alias *{escaped(anchor)}{inside}", mark)
            return Node(mark, None)
        return replace(node, mark=mark)

    def _value(self, event: Any, events: Iterator[Any], mark: Mark, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Node(mark, self._scalar(event, mark))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, mark, depth)
        return self._mapping(events, mark, depth)

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        if event.style:  # quoted or a block: always text
            return str(event.value)
        try:
            return resolve(event.value)
        except ValueError as error:
            self._report(str(error), mark)
            return None

    def _sequence(self, events: Iterator[Any], mark: Mark, depth: int) -> Node:
        nodes: list[Node] = []
        size = 1
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, events, depth + 1))
            size = self._grown(size, nodes[-1])
        return Node(mark, tuple(nodes), size)

    def _mapping(self, events: Iterator[Any], mark: Mark, depth: int) -> Node:
        entries: dict[str, Entry] = {}
        size = 1
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key_mark = self._mark(event)
            key = self._key(event, events, depth)
            entry = Entry(key_mark, self._node(next(events), events, depth + 1))
            size = self._grown(size, entry.node)
            if key is None:
                continue
            if key in entries:
                first = entries[key].key.line + 1
                self._report(f"duplicate key {described(key)}", key_mark, f"the first is on line {first}")
                continue
            entries[key] = entry
        return Node(mark, entries, size)

    def _key(self, event: Any, events: Iterator[Any], depth: int) -> str | None:
        """Return a key as it is written; None, and a problem, for one that cannot be a key."""
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, events, depth + 1)
            self._report("a key must be a word", self._mark(event))
            return None
        if event.value == "<<" and not event.style:
            self._report("merge keys (<<) are not allowed: write the keys out", self._mark(event))
            return None
        return str(event.value)

    def _grown(self, size: int, node: Node) -> int:
        if size + node.size > MOST_NODES:
            raise TextError(Problem(f"more than {MOST_NODES} values, aliases written out", node.mark))
        return size + node.size

    def _report(self, message: str, mark: Mark, hint: str = "") -> None:
        self.problems.append(Problem(message, mark, hint))

    def _mark(self, event: Any) -> Mark:
        """Return where an event stands, cut at the end of its first line."""
        start, end = event.start_mark, event.end_mark
        line = self.source.lines[start.line] if start.line < len(self.source.lines) else ""
        stop = end.column if end.line == start.line else len(line)
        return Mark(self.source, start.line, start.column, max(stop - start.column, 1))
