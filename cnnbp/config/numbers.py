"""Parameters that are written by hand: YAML with a list of numbers for each tensor."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnbp.arrays import Array
from cnnbp.config.loader import text_of
from cnnbp.config.problems import Problem, refusal
from cnnbp.config.tree import YamlValue
from cnnbp.config.yaml_text import TextError, read_yaml, source_of


def load_numbers(path: Path) -> dict[str, Array]:
    """Read `layer: {W: [[…]], b: […]}` as arrays by name, "conv1.W". Raises ConfigError, problems at their places."""
    problems: list[Problem] = []
    try:
        root = read_yaml(text_of(path), source_of(text_of(path), str(path)), problems)
    except TextError as error:
        raise refusal([*problems, error.problem]) from error
    arrays = {}
    for layer, tensors in _entries(root, "layers with their tensors, as conv1: {W: [[1, 0], [0, 1]]}", problems):
        for name, numbers in _entries(tensors, "tensors, as {W: [[1, 0], [0, 1]], b: [0]}", problems):
            arrays[f"{layer}.{name}"] = _array(numbers, problems)
    if problems:
        raise refusal(problems)
    return arrays


def _entries(node: YamlValue, what: str, problems: list[Problem]) -> list[tuple[str, YamlValue]]:
    if isinstance(node.value, Mapping):
        return [(str(key), entry.node) for key, entry in node.value.items()]
    problems.append(Problem(f"this should be {what}", node.mark))
    return []


def _array(node: YamlValue, problems: list[Problem]) -> Array:
    try:
        array = np.array(node.plain(), dtype=np.float64)
    except (TypeError, ValueError):
        problems.append(Problem("this should be numbers in lists of equal length, one inside the other", node.mark))
        return np.zeros(0)
    if not np.isfinite(array).all():
        problems.append(Problem("a number is not finite", node.mark))
    return array
