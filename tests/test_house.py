"""What holds for the whole house, beside its floors: nothing in it is left over."""

import re
import tomllib
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[1]
FOR_TESTS = ["central_differences"]  # the textbook's check: layers and losses are held to it in their tests
KINDS = {"class", "function", "method", "property"}  # imports and arguments are ruff's
# What is called by its name or its decorator alone: pydantic's validators, Typer's verbs, PyYAML's and Python's own.
CALLED_FROM_OUTSIDE = ["@model_validator", "@field_validator", "@verb", "@app.callback*"]
NAMES = ["__getattr__", "_repr_html_", "header_id_from_text", "ignore_aliases", "raise_if_wrong", "seekable"]


def test_everything_is_used_by_something():
    house = Vulture(ignore_decorators=CALLED_FROM_OUTSIDE, ignore_names=[*NAMES, *FOR_TESTS])
    house.scavenge([ROOT / "cnnbp", ROOT / "docs", ROOT / "tests" / "parity"], exclude=["*/torch_layers.py"])
    # torch_layers is looked up by a layer's type
    unused = [str(item.get_report()) for item in house.get_unused_code() if item.typ in KINDS]
    assert unused == []


def test_the_documents_name_the_floors_that_lint_holds():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = [re.findall(r"[a-z]+", floor) for floor in contracts[0]["layers"][1:]]  # __main__ is above the roof
    listed = re.search(r"((?:    .*\n)+)", (ROOT / "CONTRIBUTING.md").read_text())[1].splitlines()
    drawn = re.findall(r"^\| (`.*?`) \| ", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert [re.findall(r"[a-z]+", line) for line in listed] == floors
    assert [re.findall(r"[a-z]+", line) for line in drawn[: len(floors)]] == floors
