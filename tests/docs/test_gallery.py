"""The gallery shows the catalogue as it is."""

import re

from cnnbp.gradcheck.bugs import fitting_bugs
from cnnbp.gradcheck.selftest import bugs_in_training, networks, trained_networks
from docs.gallery import PAGE

TEXT = PAGE.read_text(encoding="utf-8")
FITTING = {name: fitting_bugs(*subject) for name, subject in networks().items()}
FITTING |= {name: bugs_in_training(*subject) for name, subject in trained_networks().items()}


def sections():
    """Return the bugs that the page shows, by type of layer, with their stories."""
    shown = {}
    for type_, table in re.findall(r"^### `([\w, ]+)`\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL):
        shown[type_] = re.findall(r"^\| `(.*?)` \| (.*?) \|", table, re.MULTILINE)
    return shown


def test_it_shows_every_bug_with_its_story_and_no_other():
    expected = {}
    for fits in FITTING.values():
        for fit in fits:
            rows = expected.setdefault(fit.type, [])
            if (fit.bug, fit.story) not in rows:
                rows.append((fit.bug, fit.story))
    assert sections() == expected, "run make gallery"


def test_its_counts_are_those_of_the_catalogue():
    for name, fits in FITTING.items():
        assert f"| {name} | pass | {len(fits)} | {len(fits)} | {len(fits)} |" in TEXT, "run make gallery"


def test_every_bug_has_a_hint():
    rows = re.findall(r"^\| `.*\|$", TEXT, re.MULTILINE)
    assert len(rows) > 60
    assert all(row.split(" | ")[-1].removesuffix(" |").strip() for row in rows)
