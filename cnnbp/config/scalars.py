"""Unquoted words as the YAML 1.2 core schema reads them, https://yaml.org/spec/1.2.2/#103-core-schema.

YAML 1.1, which PyYAML follows, takes `1e-3` for text, `yes` for true, `010` for 8 and `1:30` for 90.
"""

import re
from math import isfinite

Scalar = None | bool | int | float | str

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MOST_DIGITS = 19  # those of 2⁶³ − 1


def resolve(word: str) -> Scalar:
    """Return what an unquoted word means. Raises ValueError for a number that no option can hold."""
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return _integer(word)
    if _NOT_FINITE.fullmatch(word):
        raise ValueError(f"a finite number is needed, not {word}")
    if _FLOAT.fullmatch(word):
        number = float(word)
        if not isfinite(number):
            raise ValueError("this number is too large")
        return number
    return word


def _integer(word: str) -> int:
    if len(word.lstrip("+-0")) > _MOST_DIGITS:
        raise ValueError(f"this number is too large: it has {len(word)} digits")
    base = {"0o": 8, "0x": 16}.get(word[:2], 10)
    return int(word[2:], base) if base != 10 else int(word)
