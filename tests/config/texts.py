"""A right configuration for the tests to make wrong, and what is said of it then."""

import pytest

from cnnbp.config import Config, parse_config
from cnnbp.errors import ConfigError

RIGHT = """\
seed: 0
input: {channels: 1, height: 8, width: 8}
layers:
  - conv2d: {filters: 4, kernel: 3}
  - relu
  - flatten
  - dense: {units: 10}
loss: cross_entropy
"""


def right(old: str = "", new: str = "", *overrides: str) -> Config:
    """Read the right configuration with one part replaced."""
    return parse_config(changed(old, new), "c.yaml", overrides)


def changed(old: str, new: str) -> str:
    assert old in RIGHT
    return RIGHT.replace(old, new, 1) if old else RIGHT


def refusal_of(text: str, *overrides: str) -> str:
    """Return all that is said of a wrong configuration, as the command line prints it."""
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "c.yaml", overrides)
    return f"error: {raised.value}"


def complaint(old: str, new: str) -> tuple[str, str]:
    """Return the one message about a replaced part, and the text that its caret points at."""
    [(message, marked)] = complaints(changed(old, new))
    return message, marked


def complaints(text: str, *overrides: str) -> list[tuple[str, str]]:
    """Return each message with the text above its caret; a hint stands behind the message."""
    found = []
    for problem in refusal_of(text, *overrides).split("\n\n"):
        message, _, _, shown, caret = problem.split("\n")
        start, end = caret.index("^"), caret.rindex("^") + 1
        hint = caret[end:].strip()
        found.append((message.removeprefix("error: ") + (f" ({hint})" if hint else ""), shown[start:end]))
    return found
