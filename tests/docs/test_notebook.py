"""The notebook does what it shows."""

import re

import pytest

from docs.notebook import cells, run


@pytest.fixture(scope="module")
def pairs():
    return list(zip(cells(), run(), strict=True))


def without_numbers(text: str) -> str:
    """Return text in which all numbers are alike, however they are aligned; the last digits vary between machines."""
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.e+-]*", "0", text))


def test_every_cell_runs_and_shows_what_stands_below_it(pairs):
    for shown, found in pairs:
        assert without_numbers(found.result) == without_numbers(shown.result), shown.source
        assert without_numbers(found.printed) == without_numbers(shown.printed), shown.source
        assert bool(found.html) == bool(shown.html), shown.source


def test_what_is_computed_by_hand_is_what_cnnbp_computes(pairs):
    claims = [line for _, found in pairs for line in found.printed.splitlines() if "is the same" in line]
    assert len(claims) == 9
    assert all("True" in claim for claim in claims)


def test_it_tells_nothing_of_the_machine_that_it_was_run_on(pairs):
    for shown, _ in pairs:
        assert "/home/" not in shown.html + shown.result
        assert "/work/" not in shown.html + shown.result
