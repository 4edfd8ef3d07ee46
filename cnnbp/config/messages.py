"""Validation errors as problems: who, what was got, what is needed, at its place in the text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

from cnnbp.config.problems import Mark, Problem, described, did_you_mean
from cnnbp.config.yaml_text import Node
from cnnbp.spelling import OneOf

Step = int | str
Path = tuple[Step, ...]

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "model_type": "a mapping of options",
    "tuple_type": "a list",
    "path_type": "a path",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
}


@dataclass(frozen=True)
class Place:
    """Where an error's location leads in the text: as far as there is something."""

    path: Path
    node: Node
    key: Mark  # of the value, or of its key if it has one
    missing: Step | None = None  # the last step, if nothing is there


def find(root: Node, location: Sequence[Step]) -> Place:
    """Follow a location through the text; steps that only the models know are passed over."""
    path: Path = ()
    node, key = root, root.mark
    for step in location:
        if isinstance(node.value, Mapping) and step in node.value:
            entry = node.value[step]
            path, node, key = (*path, step), entry.node, entry.key
        elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
            path, node = (*path, step), node.value[step]
            key = node.mark
    return Place(path, node, key)


def problems_of(error: ValidationError, root: Node, model: type[BaseModel]) -> Iterator[Problem]:
    """Turn every error into a problem; what several branches of a union say of one value becomes one."""
    by_path: dict[Path, list[Any]] = {}
    for detail in error.errors(include_url=False):
        place = find(root, detail["loc"])
        own = detail["loc"][-1] if detail["type"] in ("missing", "extra_forbidden") else None
        by_path.setdefault((*place.path, own) if own is not None else place.path, []).append(detail)
    for path, details in by_path.items():
        deeper = any(other[: len(path)] == path and len(other) > len(path) for other in by_path)
        if deeper and details[0]["type"] == "literal_error" and len(details) == 1:
            continue
        yield _problem(details, root, model)


def _problem(details: list[Any], root: Node, model: type[BaseModel]) -> Problem:
    detail = details[0]
    place, context = find(root, detail["loc"]), detail.get("ctx", {})
    owner = str(detail["loc"][-2]) if len(detail["loc"]) > 1 else ""
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_option(detail, place, owner, model)
        case "missing":
            return Problem(f'{owner or "the configuration"} needs "{detail["loc"][-1]}"', place.key)
        case "unknown_choice":
            return Problem(detail["msg"], place.key, did_you_mean(context["name"], context["known"]))
        case "not_one_key":
            return Problem(detail["msg"], place.node.mark)
        case "value_error":
            return Problem(str(context["error"]), place.key)
        case _:
            return _unsuitable(details, place)


def _unknown_option(detail: Any, place: Place, owner: str, model: type[BaseModel]) -> Problem:
    name = detail["loc"][-1]
    known = list(_model_at(detail["loc"][:-1], model).model_fields)
    whose = "" if not owner else f" for {owner}" if "spelling" in detail["loc"][-3:-2] else f" in {owner}"
    what = "option" if whose.startswith(" for") else "key"
    return Problem(f"unknown {what} {described(name)}{whose}", place.key, did_you_mean(name, known))


def _unsuitable(details: list[Any], place: Place) -> Problem:
    expected = dict.fromkeys(_expectation(detail) for detail in details)
    name = next((step for step in reversed(place.path) if isinstance(step, str)), "the configuration")
    got = described(place.node.value)
    words = [word for detail in details for word in _literals(detail)]
    hint = did_you_mean(place.node.value, words) if isinstance(place.node.value, str) and words else ""
    return Problem(f"{name} must be {' or '.join(expected)}, not {got}", place.node.mark, hint)


def _expectation(detail: Any) -> str:
    context = detail.get("ctx", {})
    if "expected" in context:
        return str(context["expected"]).replace("'", '"')
    template = _EXPECTED.get(detail["type"])
    return template.format(**context) if template else str(detail["msg"])


def _literals(detail: Any) -> list[str]:
    return re.findall(r"'([^']*)'", detail["ctx"]["expected"]) if detail["type"] == "literal_error" else []


def parts(model: type[BaseModel], option: str) -> list[Any]:
    """Return the models and choices that may stand behind an option."""
    return list(_inside(get_type_hints(model, include_extras=True)[option]))


def parts_of(candidates: Sequence[Any], step: Step) -> Sequence[Any]:
    """Return what may stand one step further in; for a step that only the models know, the same."""
    for candidate in candidates:
        if isinstance(candidate, OneOf) and step in candidate.models():
            return [candidate.models()[str(step)]]
        if isinstance(candidate, type) and step in candidate.model_fields:
            return parts(candidate, str(step))
    return candidates


def _model_at(location: Sequence[Step], model: type[BaseModel]) -> type[BaseModel]:
    """Return the model whose options stand at a location."""
    candidates: Sequence[Any] = [model]
    for step in location:
        candidates = parts_of(candidates, step)
    return next(candidate for candidate in candidates if isinstance(candidate, type))


def _inside(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, OneOf) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)
