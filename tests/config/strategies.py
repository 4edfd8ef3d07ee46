"""Hypothesis: configurations that are nearly right, and texts that are not right at all."""

import json
from pathlib import Path

from hypothesis import strategies as st

from cnnbp.config import json_schema

CONFIGS = Path(__file__).parents[2] / "configs"
SCHEMA = json_schema()
NASTY = [
    "&a ", "*a", "<<: *a", "!!python/object:os.system ", "!x", "? ", ": ", "- ", "\t", "\n", "\n  ", "---\n", "...\n",
    "%YAML 1.2\n", "|\n", ">\n", "'", '"', "\\", "{", "}", "[", "]", ",", "#", "@", "`", "\x00", "\x1b[2J", "\ufeff",
    "\ud800", "\u2028", "9" * 5000, "-1", "0", "1e999", ".nan", "-.inf", "0x" + "f" * 40, "010", "1:30", "yes", "null",
    "~", "null: ", "same", "[1, 2]", "{}", "{a: {b: {c: d}}}", "[" * 50, "relu", "- relu\n", "residual", "name: x, ",
    "9223372036854775807", "1e-308", "true", "𝒙" * 5, "a" * 2000,
]  # fmt: skip

_characters = st.characters(exclude_categories=["Cs"])  # JSON would spell halves of pairs as YAML may not
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.integers(),
    st.floats(),
    st.text(_characters, max_size=8),
    st.sampled_from(["same", "auto", "relu", "adam", "conv2d", "yes", "1e-3", "", "a.b", "../x"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(_characters, max_size=6), inner, max_size=4),
)


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """Draw a configuration that comes along with a few pieces put in, taken out or doubled."""
    text = draw(st.sampled_from(_TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.sampled_from([start, start + 1, start + 10, start + 60]))
        piece = draw(st.sampled_from(NASTY) | st.text(max_size=5) | st.just(text[start:end] * 2))
        text = text[:start] + piece + text[end:]
    return text


def described(schema: dict[str, object]) -> st.SearchStrategy[object]:
    """Draw what a JSON Schema describes, and now and then something else."""
    return st.integers(0, 99).flatmap(lambda n: anything if n == 0 else _by(schema))


@st.composite
def nearly_right(draw: st.DrawFn) -> str:
    """Draw a configuration after its schema, as JSON, which is YAML; for the most part with an end that suits."""
    values = draw(described(SCHEMA))
    if isinstance(values, dict) and isinstance(values.get("layers"), list) and draw(st.booleans()):
        values["layers"] += ["flatten", {"dense": {"units": 3}}]
        values["loss"] = draw(st.sampled_from(["cross_entropy", "mean_squared_error"]))
    return json.dumps(values)


def override_texts() -> st.SearchStrategy[str]:
    """Draw `key=value`, with keys of the language for the most part."""
    words = st.sampled_from(
        [
            "seed",
            "train",
            "optimizer",
            "adam",
            "lr",
            "layers",
            "0",
            "3",
            "kernel",
            "data",
            "path",
            "input",
            "x",
            "schedule",
        ]
    )
    keys = st.lists(words | st.text(max_size=4), max_size=5).map(".".join)
    return st.builds(
        "{}{}{}".format, keys, st.sampled_from(["=", "", "=="]), st.sampled_from(NASTY) | st.text(max_size=8)
    )


def _by(schema):
    if "$ref" in schema:
        return st.deferred(lambda: _by(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]))
    if "anyOf" in schema:
        return st.one_of([described(option) for option in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    return st.sampled_from(schema["enum"]) if "enum" in schema else _OF_TYPE[schema["type"]](schema)


def _arrays(schema):
    if "prefixItems" in schema:
        return st.tuples(*map(described, schema["prefixItems"])).map(list)
    return st.lists(described(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)


def _objects(schema):
    options = {name: described(option) for name, option in schema["properties"].items()}
    if "minProperties" in schema:
        return st.sampled_from(sorted(options)).flatmap(lambda name: st.fixed_dictionaries({name: options[name]}))
    required = {name: options.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=options)


_OF_TYPE = {
    "object": _objects,
    "array": _arrays,
    "integer": lambda schema: st.integers(schema.get("minimum", 1), schema.get("maximum", 12)),
    "number": lambda _: st.floats(0.01, 0.99),
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
    "string": lambda _: st.text("abc/_ ", max_size=4),
}
_TEXTS = [file.read_text() for file in sorted(CONFIGS.rglob("*.yaml"))]
