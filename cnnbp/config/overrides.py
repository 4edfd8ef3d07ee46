"""`train.epochs=3 layers.0.filters=32`: values given on the command line, written over those of the file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from cnnbp.config.messages import parts, parts_of
from cnnbp.config.problems import Mark, Problem, Source, escaped
from cnnbp.config.yaml_text import Entry, Node, TextError, read_yaml, source_of
from cnnbp.spelling import OneOf


def override(root: Node, text: str, model: type[BaseModel], problems: list[Problem]) -> Node:
    """Return the tree with one override applied; one that leads nowhere is a problem and changes nothing."""
    source = source_of(text, f"override {text}", is_file=False)
    key, equals, value = text.partition("=")
    try:
        if not equals or not all(key.split(".")):
            raise TextError(Problem("an override is written key.key=value", Mark(source, 0, 0, len(text))))
        node = read_yaml(" " * (len(key) + 1) + value, source, problems) if value.strip() else _nothing(source, key)
        return _placed(root, _steps(key, source), node, [model])
    except TextError as error:
        problems.append(error.problem)
        return root


def _nothing(source: Source, key: str) -> Node:
    return Node(Mark(source, 0, len(key)), None)


def _steps(key: str, source: Source) -> list[tuple[str, Mark]]:
    steps: list[tuple[str, Mark]] = []
    column = 0
    for word in key.split("."):
        steps.append((word, Mark(source, 0, column, len(word))))
        column += len(word) + 1
    return steps


def _placed(node: Node, steps: Sequence[tuple[str, Mark]], value: Node, candidates: Sequence[Any]) -> Node:
    """Return a copy of `node` with `value` where the steps lead; `candidates` are what may be written there."""
    if not steps:
        return value
    (word, mark), *rest = steps
    if isinstance(node.value, tuple):
        return _placed_in_list(node, steps, value, candidates)
    choice = next((candidate for candidate in candidates if isinstance(candidate, OneOf)), None)
    if choice and (name := _chosen(node)) and name != word and _takes(choice, name, word):
        options = node.value[name].node if isinstance(node.value, Mapping) else Node(mark, {})
        key = node.value[name].key if isinstance(node.value, Mapping) else node.mark
        return replace(node, value={name: Entry(key, _placed(options, steps, value, [choice.models()[name]]))})
    kept = node.value if isinstance(node.value, Mapping) and not (choice and _chosen(node) != word) else {}
    below = kept[word].node if word in kept else _default(candidates, word, mark)
    entry = Entry(mark, _placed(below, rest, value, parts_of(candidates, word)))
    return replace(node, value={**kept, word: entry})


def _placed_in_list(node: Node, steps: Sequence[tuple[str, Mark]], value: Node, candidates: Sequence[Any]) -> Node:
    (word, mark), *rest = steps
    assert isinstance(node.value, tuple)
    if not word.isdecimal() or int(word) >= len(node.value):
        raise TextError(Problem(f'"{escaped(word)}" is not one of the places 0…{len(node.value) - 1}', mark))
    nodes = list(node.value)
    nodes[int(word)] = _placed(nodes[int(word)], rest, value, candidates)
    return replace(node, value=tuple(nodes))


def _chosen(node: Node) -> str | None:
    """Return which choice a plain word or a single key is."""
    if isinstance(node.value, str):
        return node.value
    return next(iter(node.value)) if isinstance(node.value, Mapping) and len(node.value) == 1 else None


def _takes(choice: OneOf, name: str, option: str) -> bool:
    """Tell whether `option` is meant for the chosen model: one of its options, or no other choice."""
    models = choice.models()
    return name in models and (option in models[name].model_fields or option not in models)


def _default(candidates: Sequence[Any], word: str, mark: Mark) -> Node:
    """Return what stands for a key that the text leaves out: the choice that is its default, else nothing."""
    for candidate in candidates:
        if isinstance(candidate, type) and word in candidate.model_fields:
            default = candidate.model_fields[word].default
            if isinstance(default, BaseModel) and any(isinstance(p, OneOf) for p in parts(candidate, word)):
                return Node(mark, default.type)  # type: ignore[attr-defined]
    return Node(mark, {})
