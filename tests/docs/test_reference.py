"""The configuration's reference says what the models say."""

from docs.reference import PAGE, page


def test_the_reference_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run python -m docs.reference"
