"""YAML text to a tree, straight from the parser's events: depth, size, aliases, tags and keys are looked at as they
come, and nothing is composed. Tags, merge keys and duplicate keys are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from cnnbp.config.problems import Mark, Problem, Source, described, escaped, shortened
from cnnbp.config.scalars import Scalar, resolved
from cnnbp.config.tree import Entry, YamlValue

MOST_VALUES = 20_000
DEEPEST = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TextError(Exception):
    """A text that cannot be read further."""

    def __init__(self, message: str, mark: Mark, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(message, mark, hint)


def source_of(text: str, name: str, *, is_file: bool = True) -> Source:
    """Cut a text into lines, as its parser counts them."""
    return Source(escaped(name), tuple(_LINE_BREAK.split(text)), is_file)


def read_yaml(text: str, source: Source, problems: list[Problem]) -> YamlValue:
    """Return the text's one document. What is wrong but leaves a tree is added to `problems`; else TextError."""
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        before = _LINE_BREAK.split(text[: forbidden.start()])
        mark = Mark(source, len(before) - 1, len(before[-1]))
        raise TextError(f"the character {escaped(forbidden[0])} is not allowed in YAML", mark)
    try:
        return _Builder(source, problems, yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = _place_of(error, source)
        if "nesting" in str(error.problem):  # the parser has a limit of its own, and looks far ahead
            raise _too_deep(mark) from error
        context = f" ({error.context})" if error.context else ""
        hint = "a tab: indent with spaces" if source.lines[mark.line][mark.column :].startswith("\t") else ""
        raise TextError(escaped(f"not YAML: {error.problem}{context}"), mark, hint) from error


def _too_deep(mark: Mark) -> TextError:
    return TextError(f"nested deeper than {DEEPEST} levels", mark)


def _place_of(error: yaml.MarkedYAMLError, source: Source) -> Mark:
    """Return where reading stopped; instead of a line behind the text, the end of the last one that has any."""
    where = error.problem_mark or error.context_mark
    line, column = (where.line, where.column) if where else (0, 0)
    while line > 0 and not "".join(source.lines[line : line + 1]).strip():
        line -= 1
        column = len(source.lines[line]) if line < len(source.lines) else 0
    return Mark(source, line, column)


@dataclass
class _Builder:
    source: Source
    problems: list[Problem]
    events: Iterator[Any]
    anchors: dict[str, YamlValue | None] = field(default_factory=dict)  # None while its node is not complete
    has_merged: bool = False

    def document(self) -> YamlValue:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise TextError("the configuration is empty", Mark(self.source, 0, 0))
        root = self._node(next(self.events), 0)
        next(self.events)  # the end of the document
        following = next(self.events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise TextError("a second document begins here; a configuration is one", self._mark(following))
        return root

    def _node(self, event: Any, depth: int) -> YamlValue:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(str(event.anchor), mark)
        if depth > DEEPEST:
            raise _too_deep(mark)
        if event.tag is not None:
            self._report(f"tags are not allowed: {shortened(event.tag)}", mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node = self._value(event, mark, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _aliased(self, anchor: str, mark: Mark) -> YamlValue:
        node = self.anchors.get(anchor)
        if node is None:
            reason = "stands inside its own anchor" if anchor in self.anchors else "has no anchor before it"
            self._report(f"the alias *{shortened(anchor)} {reason}", mark)
            return YamlValue(mark, None)
        return replace(node, mark=mark)

    def _value(self, event: Any, mark: Mark, depth: int) -> YamlValue:
        if isinstance(event, yaml.ScalarEvent):
            return YamlValue(mark, self._scalar(event, mark))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(mark, depth)
        return self._mapping(mark, depth)

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        if event.style:  # quoted, or a block: always text
            return str(event.value)
        try:
            return resolved(event.value)
        except ValueError as error:
            self._report(str(error), mark)
            return None

    def _sequence(self, mark: Mark, depth: int) -> YamlValue:
        nodes: list[YamlValue] = []
        size = 1
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, depth + 1))
            size = self._grown(size, nodes[-1])
        return YamlValue(mark, tuple(nodes), size)

    def _mapping(self, mark: Mark, depth: int) -> YamlValue:
        entries: dict[str, Entry] = {}
        size = 1
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, depth)
            entry = self._entry(self._mark(event), self._node(next(self.events), depth + 1))
            size = self._grown(size, entry.node)
            if key in entries:
                first = f"the first is on line {entries[key].key.line + 1}"
                self._report(f"duplicate key {described(key)}", entry.key, first)
            elif key is not None:
                entries[key] = entry
        return YamlValue(mark, entries, size)

    def _entry(self, key: Mark, node: YamlValue) -> Entry:
        return Entry(key, node if node.mark.width or node.children else replace(node, mark=key))

    def _key(self, event: Any, depth: int) -> str | None:
        """Return a key as it is written; None, and a problem, for what cannot be one."""
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, depth + 1)
            self._report("a key must be a word", self._mark(event))
            return None
        if event.value == "<<" and not event.style:
            self._refuse_merge(self._mark(event))
            return None
        return str(event.value)

    def _refuse_merge(self, mark: Mark) -> None:
        """Report the first of all merge keys: who uses one uses many, for one reason."""
        if not self.has_merged:
            self._report("merge keys (<<) are not allowed: write the keys out", mark)
        self.has_merged = True

    def _grown(self, size: int, node: YamlValue) -> int:
        if size + node.size > MOST_VALUES:
            raise TextError(f"more than {MOST_VALUES} values, each alias counted as what it stands for", node.mark)
        return size + node.size

    def _report(self, message: str, mark: Mark, hint: str = "") -> None:
        self.problems.append(Problem(message, mark, hint))

    def _mark(self, event: Any) -> Mark:
        """Return where an event stands, up to the end of its first line."""
        start, end = event.start_mark, event.end_mark
        line = self.source.lines[start.line] if start.line < len(self.source.lines) else ""
        stop = end.column if end.line == start.line else len(line.rstrip())
        return Mark(self.source, start.line, start.column, max(stop - start.column, 0))
