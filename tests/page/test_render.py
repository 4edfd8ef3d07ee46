import json
import re
from dataclasses import replace

import html5lib
import pytest

from cnnbp.inspect.examine import inspect_batch
from cnnbp.optimizers import SGD
from cnnbp.page.bug import plant_in
from cnnbp.page.document import Page, page_document
from cnnbp.page.render import render, save_page
from tests.inspect.lecture import lecture_model
from tests.page.pages import LECTURE, lecture_document, lecture_inspection

NASTY = "</script><!--<b>&\"'\u2028x"


def mistakes(html):
    parser = html5lib.HTMLParser()
    parser.parse(html)
    return parser.errors


@pytest.mark.parametrize("options", [{}, {"quiz": True}, {"planted": "dense1:db-zero"}])
def test_the_html_is_valid(options):
    if "planted" in options:
        options = {"planted": plant_in(lecture_inspection(), options["planted"], hidden=True)}
    html = render(lecture_document(**options))
    assert mistakes(html) == []
    identifiers = re.findall(r' id="(\w+)"', html)
    assert len(identifiers) == len(set(identifiers))


def test_a_mistake_in_the_html_would_be_seen():
    assert mistakes(render(lecture_document()).replace("</header>", "</div>"))


def test_it_needs_no_other_file_and_no_network():
    html = render(lecture_document())
    assert not re.search(r"\b(src|href)=(?!\"data:,\")|@import|url\(|fetch\(|XMLHttp|import\(", html)
    addresses = set(re.findall(r"https?://[^\s\"')]+", html))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nothing is fetched from


def test_names_of_images_and_classes_are_text_whatever_they_hold():
    images = replace(LECTURE, names=[NASTY] * 4, classes=[NASTY, "b"], source=NASTY)
    html = render(page_document(Page(NASTY, inspect_batch(lecture_model(), images, SGD()))))
    assert mistakes(html) == []
    assert html.count("</script>") == 2
    document = json.loads(re.search(r'<script type="application/json" id="document">(.*)</script>', html)[1])
    assert document["title"] == NASTY
    assert document["images"][0]["name"] == NASTY


def test_the_page_is_written_whole_and_its_size_is_told(tmp_path):
    path = tmp_path / "page.html"
    size = save_page(lecture_document(), path)
    assert path.stat().st_size == size < 200_000
    assert path.read_text(encoding="utf-8") == render(lecture_document())
