"""Every documented command and session does what the page says, and every link leads somewhere."""

import re
import shlex

import pytest

from docs.documents import PAGES, ROOT, examples, matches, mismatches
from tests.cli.command import COMMAND, warm

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")

LONG = {"mpi", "own-layers"}
slow = pytest.mark.slow


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """A folder with a `cnnbp` that begins without imports; a rank's has to find its mpiexec by itself."""
    folder = tmp_path_factory.mktemp("commands")
    whole, fast = (" ".join(map(shlex.quote, command)) for command in (COMMAND, warm()))
    (folder / "cnnbp").write_text(f'#!/bin/sh\n[ -n "$PMI_RANK" ] && exec {whole} "$@"\nexec {fast} "$@"\n')
    (folder / "cnnbp").chmod(0o755)
    return folder


@pytest.mark.parametrize("page", [pytest.param(p, marks=slow if p.stem in LONG else ()) for p in PAGES], ids=name)
def test_what_a_page_shows_is_what_happens(page, commands):
    assert "\n\n".join(map(str, mismatches(page, commands))) == ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_inside_the_project_resolves(page):
    for match in _LINK.finditer(page.read_text()):
        target, _, anchor = (match[1] or match[2]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = page.parent / target if target else page
        assert file.exists(), match[0]
        assert not anchor or anchor in anchors(file.read_text()), match[0]


def anchors(text):
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_an_output_that_differs_is_seen():
    assert matches("a …\n…\nz\n", "a b\nc\nd\nz\n")
    assert not matches("a …\nz\n", "a b\nc\nz\n")
    assert not matches("a\n", "b\n")


def test_a_block_is_cut_into_its_commands():
    found = examples("$ one \\\n  two\nout\n$ three\n", 0)
    assert [(example.command, example.output) for example in found] == [("one \\\n  two", "out\n"), ("three", "")]
