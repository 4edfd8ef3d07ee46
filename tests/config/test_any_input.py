"""Whatever is written, the answer is a Config or a ConfigError that can be printed."""

from collections.abc import Callable, Sequence

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from cnnbp.config import Config, dump_config, load_config, parse_config
from cnnbp.errors import ConfigError
from tests.config.strategies import anything, mutated_texts, nearly_right, override_texts
from tests.config.texts import RIGHT

thorough = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def check(read: Callable[[], Config]) -> None:
    """Look at the refusal; or write what was read, and read it again."""
    refusal = None
    try:
        config = read()
    except ConfigError as error:
        refusal = str(error)
    if refusal is None:
        assert parse_config(dump_config(config), "/elsewhere/c.yaml") == config
    else:
        assert refusal.replace("\n", "").isprintable()
        assert not refusal.startswith("error: ")


def check_text(text: str, overrides: Sequence[str] = ()) -> None:
    check(lambda: parse_config(text, "c.yaml", overrides))


@thorough
@given(st.text())
def test_any_text(text):
    check_text(text)


@thorough
@given(mutated_texts())
def test_any_configuration_with_some_pieces_changed(text):
    check_text(text)


@thorough
@given(nearly_right())
def test_any_configuration_that_follows_the_schema_more_or_less(text):
    check_text(text)


@thorough
@given(anything.map(repr))
def test_any_nested_values(text):
    check_text(text)


@thorough
@given(st.lists(override_texts(), max_size=3))
def test_any_overrides(overrides):
    check_text(RIGHT, overrides)


@thorough
@given(content=st.binary() | st.text().map(lambda text: RIGHT.encode() + text.encode("utf-16-le", "surrogatepass")))
def test_any_bytes(content, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    check(lambda: load_config(file))
