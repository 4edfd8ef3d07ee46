"""The table of https://yaml.org/spec/1.2.2/#103-core-schema, and what YAML 1.1 makes of the same words."""

import pytest

from cnnbp.config.scalars import resolved


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_null_has_five_spellings(word):
    assert resolved(word) is None


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_true_has_three_spellings(word):
    assert resolved(word) is True
    assert resolved({"true": "false", "True": "False", "TRUE": "FALSE"}[word]) is False


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "y", "n", "Yes", "NO", "tRUE", "nULL"])
def test_words_that_yaml_1_1_takes_for_booleans_are_text(word):
    assert resolved(word) == word


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("0", 0), ("-0", 0), ("+12", 12), ("-19", -19), ("010", 10), ("0009", 9), ("0o10", 8), ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775807", 1 - 2**63),
        ("0" * 50 + "7", 7),
    ],
)  # fmt: skip
def test_whole_numbers_are_decimal_unless_0o_or_0x_says_otherwise(word, number):
    assert resolved(word) == number
    assert type(resolved(word)) is int


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("1e-3", 1e-3), ("1E3", 1e3), ("3e-3", 3e-3), (".5", 0.5), ("5.", 5.0), ("-0.0", 0.0), ("+1.5e+2", 150.0),
        ("0e0", 0.0), ("1e-400", 0.0), ("012.5", 12.5),
    ],
)  # fmt: skip
def test_numbers_with_a_point_or_an_exponent_are_floats(word, number):
    assert resolved(word) == number
    assert type(resolved(word)) is float


@pytest.mark.parametrize(
    "word",
    [
        "1:30",
        "1_000",
        "0b11",
        "0o8",
        "0xg",
        "-0x1",
        "1e",
        "e3",
        ".",
        "+",
        "-",
        "1.2.3",
        "--1",
        "١٢",
        "2024-01-01",
        "=",
        "1 2",
    ],
)
def test_what_only_looks_like_a_number_is_text(word):
    assert resolved(word) == word


@pytest.mark.parametrize("word", [".inf", "-.inf", "+.Inf", ".INF", ".nan", ".NaN", ".NAN"])
def test_infinity_and_nan_are_refused(word):
    with pytest.raises(ValueError, match=r"a finite number is needed"):
        resolved(word)


@pytest.mark.parametrize(
    "word", ["1e999", "-1e999", "9223372036854775808", "9" * 5000, "0x" + "f" * 5000, "1" + "0" * 70]
)
def test_numbers_that_no_option_can_hold_are_refused(word):
    with pytest.raises(ValueError, match="too large"):
        resolved(word)
