"""`train.epochs=3 layers.0.filters=32`: values from the command line, written over those of the file.

A step may be left out where a choice's name stands: `layers.0.filters` for `layers.0.conv2d.filters`. Another choice's
name replaces the choice: `train.optimizer.sgd.lr=0.1`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel

from cnnbp.config.options import Candidate, behind
from cnnbp.config.problems import Mark, Problem, Source, described, shortened
from cnnbp.config.tree import Entry, YamlValue
from cnnbp.config.yaml_text import DEEPEST, TextError, read_yaml, source_of
from cnnbp.spelling import OneOf

Steps = Sequence[tuple[str, Mark]]  # the words of `train.epochs`, and where each stands


def overridden(root: YamlValue, text: str, model: type[BaseModel], problems: list[Problem]) -> YamlValue:
    """Return the tree with one override applied. One that leads nowhere is a problem and changes nothing."""
    source = source_of(text, f"override {shortened(text)}", is_file=False)
    key, equals, value = text.partition("=")
    try:
        if not equals or not all(key.split(".")) or key.count(".") > DEEPEST:
            raise TextError("an override is written key=value, as train.epochs=3", Mark(source, 0, 0, len(text)))
        return _with(root, _steps(key, source), _value(key, value, source, problems), (model,))
    except TextError as error:
        problems.append(error.problem)
        return root


def _value(key: str, value: str, source: Source, problems: list[Problem]) -> YamlValue:
    """Read the value by the rules of YAML, behind as many spaces as the key is long: its places are then right."""
    indent = len(key) + 1
    return (
        read_yaml(" " * indent + value, source, problems) if value.strip() else YamlValue(Mark(source, 0, indent), None)
    )


def _steps(key: str, source: Source) -> Steps:
    words = key.split(".")
    columns = [len(".".join((*words[:n], ""))) for n in range(len(words))]
    return [(word, Mark(source, 0, column, len(word))) for word, column in zip(words, columns, strict=True)]


def _with(node: YamlValue, steps: Steps, value: YamlValue, candidates: Sequence[Candidate]) -> YamlValue:
    """Return a copy of `node` with `value` where the steps lead; `candidates` are what may be written there."""
    if not steps:
        return value
    if isinstance(node.value, tuple):
        return _with_item(node, node.value, steps, value, candidates)
    choice = next((candidate for candidate in candidates if isinstance(candidate, OneOf)), None)
    if choice is None:
        return _with_key(node, steps, value, candidates)
    return _with_option(node, steps, value, choice)


def _with_item(
    node: YamlValue, items: tuple[YamlValue, ...], steps: Steps, value: YamlValue, candidates: Sequence[Candidate]
) -> YamlValue:
    (word, mark), *rest = steps
    position = int(word) if word.isascii() and word.isdecimal() and len(word) < 10 else len(items)
    if position >= len(items):
        raise TextError(f"{described(word)} is not a position: the list has {len(items)} entries, from 0 on", mark)
    changed = _with(items[position], rest, value, candidates)
    return replace(node, value=(*items[:position], changed, *items[position + 1 :]))


def _with_key(node: YamlValue, steps: Steps, value: YamlValue, candidates: Sequence[Candidate]) -> YamlValue:
    (word, mark), *rest = steps
    entries = node.value if isinstance(node.value, Mapping) else {}
    below = entries[word].node if word in entries else _absent(word, mark, candidates)
    changed = Entry(mark, _with(below, rest, value, behind(candidates, word)))
    place = node.mark if isinstance(node.value, Mapping) else mark
    return YamlValue(place, {**entries, word: changed})


def _with_option(node: YamlValue, steps: Steps, value: YamlValue, choice: OneOf) -> YamlValue:
    """Write into the options of the choice that is there, unless the step is a choice itself."""
    (word, mark), models = steps[0], choice.known
    name = _chosen(node)
    if word == name or name not in models or (word in models and word not in models[name].model_fields):
        kept = node if word == name and isinstance(node.value, Mapping) else YamlValue(mark, {})
        return _with_key(kept, steps, value, (choice,))
    entry = node.value[name] if isinstance(node.value, Mapping) else Entry(node.mark, YamlValue(node.mark, {}))
    changed = replace(entry, node=_with(entry.node, steps, value, (models[name],)))
    return replace(node, value={name: changed})


def _chosen(node: YamlValue) -> str:
    """Return the name of a choice: the plain word, or the only key."""
    if isinstance(node.value, Mapping) and len(node.value) == 1:
        return next(iter(node.value))
    return node.value if isinstance(node.value, str) else ""


def _absent(word: str, mark: Mark, candidates: Sequence[Candidate]) -> YamlValue:
    """Return what stands for a key that the text leaves out: the name of the choice that is its default, or nothing."""
    for candidate in candidates:
        if not isinstance(candidate, OneOf) and word in candidate.model_fields:
            default = candidate.model_fields[word].default
            for choice in behind((candidate,), word):
                if isinstance(choice, OneOf) and isinstance(default, BaseModel):
                    return YamlValue(mark, choice.name_of(default))
    return YamlValue(mark, {})
