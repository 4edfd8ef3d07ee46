"""What may be written where: the models and choices behind each key of a configuration."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from cnnbp.config.tree import Key
from cnnbp.spelling import OneOf

Candidate = type[BaseModel] | OneOf  # a mapping with a model's options, or the spelling of one model out of several


def is_model(candidate: Any) -> bool:
    """Tell a model from a choice."""
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


def behind(candidates: Sequence[Candidate], step: Key) -> Sequence[Candidate]:
    """Return what may stand one step further in; the same, for a step that is not the language's (a list's index)."""
    for candidate in candidates:
        if isinstance(candidate, OneOf):
            if step in candidate.known:
                return (candidate.known[str(step)],)
        elif step in candidate.model_fields:
            return _behind_option(candidate, str(step))
    return candidates


def model_at(location: Sequence[Key], model: type[BaseModel]) -> type[BaseModel]:
    """Return the model whose options stand at a location."""
    candidates: Sequence[Candidate] = (model,)
    for step in location:
        candidates = behind(candidates, step)
    return next(candidate for candidate in candidates if not isinstance(candidate, OneOf))


def section_of(option: str, model: type[BaseModel]) -> str | None:
    """Return the key of the model under which another model has the option."""
    for key in model.model_fields:
        for candidate in _behind_option(model, key):
            if not isinstance(candidate, OneOf) and option in candidate.model_fields:
                return key
    return None


@cache
def _behind_option(model: type[BaseModel], option: str) -> tuple[Candidate, ...]:
    return tuple(_inside(get_type_hints(model, include_extras=True)[option]))


def _inside(annotation: Any) -> Iterator[Candidate]:
    """Yield the models and choices inside an annotation; the models of a choice are not looked into."""
    if isinstance(annotation, OneOf) or is_model(annotation):
        yield annotation
    arguments = get_args(annotation)
    choices = [argument for argument in arguments if isinstance(argument, OneOf)]
    for argument in choices or arguments:
        yield from _inside(argument)
