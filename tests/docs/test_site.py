"""The site holds every document and every public name, and its links lead somewhere."""

import pytest

from docs.documents import PAGES, ROOT
from docs.public import PUBLIC

pytest.importorskip("pdoc", reason="make site installs it")
pytest.importorskip("nbconvert", reason="make site installs it")

from docs import site

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    site.build(folder)
    return folder


def test_every_document_is_a_page_and_every_link_leads_somewhere(built):
    for page in (*(page.relative_to(ROOT) for page in PAGES), site.NOTEBOOK):
        assert (built / site.target(page)).is_file()
    assert [*site.broken_links(built)] == []


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    (tmp_path / "page.html").write_text('<h1 id="here"></h1><a href="#here"><a href="#there"><a href="gone.html">')
    assert [*site.broken_links(tmp_path)] == ["page.html: #there", "page.html: gone.html"]


def test_every_public_name_is_in_the_reference(built):
    for module, names in PUBLIC.items():
        page = (built / "api" / f"{module.replace('.', '/')}.html").read_text(encoding="utf-8")
        assert [name for name in names if f'id="{name}"' not in page] == []
