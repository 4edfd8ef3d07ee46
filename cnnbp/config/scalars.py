"""Unquoted words as the YAML 1.2 core schema reads them, https://yaml.org/spec/1.2.2/#103-core-schema.

YAML 1.1, which PyYAML follows, takes `1e-3` for text, `yes` for true, `010` for 8 and `1:30` for 90.
"""

import re
from math import isfinite

Scalar = None | bool | int | float | str

LARGEST_INTEGER = 2**63 - 1

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolved(word: str) -> Scalar:
    """Return what an unquoted word means. Raises ValueError for a number that no option can hold."""
    if word in _WORDS:
        return _WORDS[word]
    if _DECIMAL.fullmatch(word):
        return _integer(word, 10)
    if _OTHER_BASE.fullmatch(word):
        return _integer(word, 0)
    if _NOT_FINITE.fullmatch(word):
        raise ValueError(f"a finite number is needed, not {word}")
    if _FLOAT.fullmatch(word):
        return _finite(word)
    return word


def is_number(word: str) -> bool:
    """Tell whether a text would be a number without its quotes."""
    return _FLOAT.fullmatch(word) is not None


def _integer(word: str, base: int) -> int:
    if len(word.lstrip("+-0x")) > 64 or abs(value := int(word, base)) > LARGEST_INTEGER:
        raise ValueError("this number is too large: whole numbers end at 2⁶³ − 1")
    return value


def _finite(word: str) -> float:
    number = float(word)
    if not isfinite(number):
        raise ValueError("this number is too large: the largest is about 1.8e308")
    return number
