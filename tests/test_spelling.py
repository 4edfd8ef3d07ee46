from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from cnnbp.layers import Conv2d, LayerSpec, ReLU, Residual
from cnnbp.spelling import OneOf, first_line, has_defaults


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dot(Strict):
    """A place.

    It has no size.
    """

    colour: str | None = None


class Circle(Strict):
    """All places at one distance."""

    radius: int


SHAPES = {"dot": Dot, "circle": Circle}


def _shapes() -> Mapping[str, type[BaseModel]]:
    return SHAPES


class Drawing(BaseModel):
    shapes: tuple[Annotated[Dot | Circle, OneOf("shape", _shapes)], ...]


def drawn(*shapes: Any) -> tuple[Dot | Circle, ...]:
    return Drawing.model_validate({"shapes": shapes}).shapes


def errors_of(*shapes: Any) -> list[tuple[tuple[int | str, ...], str, str]]:
    """Return each error's place, kind and message."""
    with pytest.raises(ValidationError) as raised:
        drawn(*shapes)
    return [(error["loc"], error["type"], error["msg"]) for error in raised.value.errors()]


@pytest.mark.parametrize(
    ("spelling", "model"),
    [
        ("dot", Dot()),
        ({"dot": {}}, Dot()),
        ({"dot": None}, Dot()),  # `dot:` with nothing behind it
        ({"dot": {"colour": "red"}}, Dot(colour="red")),
        ({"circle": {"radius": 3}}, Circle(radius=3)),
        (Circle(radius=3), Circle(radius=3)),
    ],
    ids=str,
)
def test_a_choice_is_a_word_or_one_key_with_its_options(spelling, model):
    assert drawn(spelling) == (model,)


@pytest.mark.parametrize("nonsense", [{}, {"dot": {}, "circle": {}}, 3, None, ["dot"]], ids=str)
def test_anything_else_is_refused_with_what_a_choice_looks_like(nonsense):
    [(_, kind, message)] = errors_of(nonsense)
    assert (kind, message) == ("not_one_key", "a shape is a word, or one key with its options")


def test_an_unknown_name_comes_with_the_known_ones():
    with pytest.raises(ValidationError) as raised:
        drawn("circel")
    [error] = raised.value.errors()
    assert (error["type"], error["msg"]) == ("unknown_choice", 'unknown shape "circel"')
    assert error["ctx"]["known"] == ["dot", "circle"]


def test_wrong_options_are_reported_all_at_once_below_their_choice():
    errors = errors_of({"circle": {"radius": "wide", "size": 1}}, "circle")
    assert [(location[1], location[-2:], kind) for location, kind, _ in errors] == [
        (0, ("circle", "radius"), "int_parsing"),
        (0, ("circle", "size"), "extra_forbidden"),
        (1, ("circle", "radius"), "missing"),
    ]


def test_a_model_is_written_back_as_it_is_spelled():
    spelled = ["dot", {"dot": {"colour": "red"}}, {"circle": {"radius": 3}}]
    assert Drawing(shapes=drawn(*spelled)).model_dump(mode="json", exclude_unset=True) == {"shapes": spelled}


def test_written_out_in_full_a_model_has_all_its_options():
    written = Drawing(shapes=(Dot(), Circle(radius=3))).model_dump(mode="json")
    assert written == {"shapes": [{"dot": {"colour": None}}, {"circle": {"radius": 3}}]}
    assert Drawing.model_validate(written).shapes == (Dot(), Circle(radius=3))


def test_only_a_model_whose_options_all_have_defaults_is_a_plain_word():
    assert has_defaults(Dot)
    assert not has_defaults(Circle)
    words = [choice["const"] for choice in _choices() if "const" in choice]
    assert words == ["dot"]


def test_the_schema_describes_each_choice_by_the_first_line_of_its_docstring():
    assert first_line(Dot) == "A place."
    assert [choice["description"] for choice in _choices() if "const" in choice] == ["A place."]


def test_the_schema_wants_exactly_one_key():
    [one_key] = [choice for choice in _choices() if "const" not in choice]
    assert one_key["properties"].keys() == {"dot", "circle"}
    assert (one_key["minProperties"], one_key["maxProperties"], one_key["additionalProperties"]) == (1, 1, False)


def _choices() -> list[dict[str, Any]]:
    schema = Drawing.model_json_schema()
    choices: list[dict[str, Any]] = schema["properties"]["shapes"]["items"]["anyOf"]
    return choices


def test_a_choice_may_stand_inside_a_choice():
    spelling = {"residual": {"layers": [{"conv2d": {"filters": 2, "kernel": 1}}, {"residual": {"layers": ["relu"]}}]}}
    block: Any = TypeAdapter(LayerSpec).validate_python(spelling)
    assert block == Residual(layers=[Conv2d(filters=2, kernel=1), Residual(layers=[ReLU()])])
    assert TypeAdapter(LayerSpec).dump_python(block, mode="json", exclude_unset=True) == spelling
