"""Pydantic's validation errors as problems: who, what was got, what is needed, at its place in the text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from cnnbp.config.options import model_at, section_of
from cnnbp.config.problems import MOST_SHOWN, Problem, described
from cnnbp.config.scalars import is_number
from cnnbp.config.tree import Location, Place, YamlValue, culprit, find
from cnnbp.names import closest, did_you_mean

Detail = Mapping[str, Any]  # one entry of ValidationError.errors()

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "model_type": "a mapping of options",
    "tuple_type": "a list",
    "path_type": "a path",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "a list of {min_length} or more",
    "string_pattern_mismatch": "letters, digits, _ and -",
    "string_too_long": "at most {max_length} characters long",
}
_MOST_READ = 10 * MOST_SHOWN  # errors of one configuration
_SOFTMAX = ("softmax", "log_softmax", "logsoftmax")
_WORDS_FOR_TRUE, _WORDS_FOR_FALSE = ("yes", "on", "y"), ("no", "off", "n")  # YAML 1.1's


def problems_of(error: ValidationError, root: YamlValue, model: type[BaseModel]) -> Iterator[Problem]:
    """Turn all errors into problems: what the branches of a union say of one value, or all that is missing, is one.

    An option that is misspelled is not missing as well.
    """
    details = error.errors(include_url=False)[:_MOST_READ]
    meant = {_meant(detail, root, model) for detail in details if detail["type"] == "extra_forbidden"}
    by_subject: dict[Location, list[Detail]] = {}
    for detail in details:
        if detail["type"] != "missing" or _option(detail, root) not in meant:
            by_subject.setdefault(_subject(detail, root), []).append(detail)
    outer = {path[:n] for path in by_subject for n in range(len(path))}
    for path, about in by_subject.items():
        place = find(root, about[0]["loc"])
        if path in outer and (not place.is_exact or about[0]["type"] == "too_short"):
            continue  # another branch of the union got further, or the items that are missing are wrong
        yield _problem(about, place, root, model)


def _meant(detail: Detail, root: YamlValue, model: type[BaseModel]) -> Location:
    """Return where the option stands that an unknown one was probably meant to be."""
    *owner, name = find(root, detail["loc"]).path
    return (*owner, closest(str(name), model_at(owner, model).model_fields) or name)


def _option(detail: Detail, root: YamlValue) -> Location:
    """Return where an option would stand that is missing."""
    return (*find(root, detail["loc"]).path, detail["loc"][-1])


def _subject(detail: Detail, root: YamlValue) -> Location:
    """Return what an error is about; errors with the same subject are told as one."""
    path = find(root, detail["loc"]).path
    return (*path, detail["type"]) if detail["type"] in ("missing", "value_error") else path


def _problem(details: list[Detail], place: Place, root: YamlValue, model: type[BaseModel]) -> Problem:
    detail, context = details[0], details[0].get("ctx", {})
    match detail["type"]:
        case "missing":
            owner, names = _owner(detail["loc"]), " and ".join(f'"{one["loc"][-1]}"' for one in details)
            return Problem(f"{owner} needs {names}", place.key if owner in place.path else place.word)
        case "extra_forbidden":
            name = str(place.path[-1])
            message = f"unknown option {described(name)} for {_owner(place.path)}"
            return Problem(message, place.key, _option_hint(name, model_at(place.path[:-1], model)))
        case "unknown_choice":
            message = f"unknown {context['kind']} {described(context['name'])}"
            return Problem(message, place.word, _choice_hint(context["name"], context["known"]))
        case "not_one_key":
            return Problem(detail["msg"], place.node.mark, _indentation_hint(place.node.value, context["known"]))
        case "value_error":
            return Problem(str(context["error"]), culprit(root, place.path))
        case _:
            return _unsuitable(details, place)


def _owner(location: Location) -> str:
    """Return what the last step of a location belongs to."""
    return str(location[-2]) if len(location) > 1 else "the configuration"


def _option_hint(name: str, owner: type[BaseModel]) -> str:
    section = section_of(name, owner)
    return f"it belongs under {section}" if section else did_you_mean(name, list(owner.model_fields))


def _choice_hint(name: str, known: list[str]) -> str:
    if name in _SOFTMAX:
        return "cross_entropy takes logits and applies softmax itself: leave it out"
    return did_you_mean(name, known)


def _indentation_hint(value: Any, known: list[str]) -> str:
    first = next((key for key in value if key in known), None) if isinstance(value, Mapping) else None
    return f"indent the options further than {first}" if first else ""


def _unsuitable(details: list[Detail], place: Place) -> Problem:
    name = next((step for step in reversed(place.path) if isinstance(step, str)), "the configuration")
    expected = dict.fromkeys(_expectation(detail) for detail in details)
    message = f"{name} must be {' or '.join(expected)}, not {described(place.node.plain())}"
    return Problem(message, place.node.mark, _value_hint(details, place.node.value))


def _expectation(detail: Detail) -> str:
    context = detail.get("ctx", {})
    if "expected" in context:
        return str(context["expected"]).replace("'", '"')
    template = _EXPECTED.get(detail["type"])
    return template.format(**context) if template else str(detail["msg"])


def _value_hint(details: list[Detail], value: Any) -> str:
    if not isinstance(value, str):
        return ""
    kinds = {detail["type"] for detail in details}
    words = [
        word for d in details if d["type"] == "literal_error" for word in re.findall("'(.*?)'", d["ctx"]["expected"])
    ]
    if "bool_type" in kinds and value.lower() in _WORDS_FOR_TRUE + _WORDS_FOR_FALSE:
        return f"write {str(value.lower() in _WORDS_FOR_TRUE).lower()}"
    if kinds & {"int_type", "float_type", "size"} and is_number(value):
        return "write it without quotes"
    return did_you_mean(value, words) if words else ""
