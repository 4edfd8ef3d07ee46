"""The documents and the reference of the public names, as a folder of HTML that needs no server.

python -m docs.site [FOLDER]        `site` by default; `make site` installs what it needs

The folders are the project's, so links between documents stay as they are; only `.md` and `.ipynb` become `.html`.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from html import escape
from importlib import import_module
from pathlib import Path
from posixpath import normpath, relpath

import markdown2
import pdoc
import pdoc.doc
import pdoc.render

import cnnbp
from docs.documents import PAGES, ROOT
from docs.public import PUBLIC

NOTEBOOK = Path("docs/notebook.ipynb")
_EXTRAS = ["fenced-code-blocks", "tables", "header-ids", "code-friendly", "cuddled-lists"]
_ARRAY = "numpy.ndarray[tuple[typing.Any, ...], numpy.dtype[typing.Any]]"  # what `Array` stands for
_LINK = re.compile(r'\b(href|src)="(?![a-z]+:|#)([^"#]+)')
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; display: flex; flex-wrap: wrap; }}
nav {{ padding: 1.5rem; flex: 0 0 13rem; }}
nav a {{ display: block; padding: .15rem 0; text-decoration: none; }}
nav a[aria-current] {{ font-weight: bold; }}
main {{ padding: 0 1.5rem 3rem; flex: 1 1 20rem; min-width: 0; max-width: 60rem; }}
pre, table {{ display: block; overflow-x: auto; }}
pre {{ background: color-mix(in srgb, currentColor 7%, transparent); padding: .7rem; line-height: 1.3; }}
code, pre {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .85rem; }}
table {{ border-collapse: collapse; }}
td, th {{ border: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .25rem .6rem; }}
th {{ text-align: left; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
<nav aria-label="Documents">{navigation}</nav>
<main>{content}</main>
</body>
</html>
"""


def build(site: Path) -> None:
    """Write the site; what was in the folder is gone."""
    shutil.rmtree(site, ignore_errors=True)
    titles = {page: _title(ROOT / page) for page in _in_order()}
    for page, title in titles.items():
        content = _notebook() if page == NOTEBOOK else _html(page)
        _copy_linked(page.parent, content, site)
        _write(site, page, title, _linked(content), titles)
    _write_reference(site / "api")


def _in_order() -> list[Path]:
    """Return the documents in the order in which the README leads to them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [NOTEBOOK, *(page.relative_to(ROOT) for page in PAGES)]
    return sorted(pages, key=lambda page: (page.name != "README.md", readme.rfind(f"({page.as_posix()}")))


def _html(page: Path) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return str(_Markdown(extras=_EXTRAS).convert(text))


class _Markdown(markdown2.Markdown):  # type: ignore[misc]
    """Markdown whose headings have the anchors that they have where the project is hosted."""

    def header_id_from_text(self, text: str, prefix: str, n: int) -> str:
        """Return the anchor of a heading."""
        return anchor(re.sub(r"<[^>]*>", "", text))


def anchor(heading: str) -> str:
    """Return what a link to a heading ends with."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _title(page: Path) -> str:
    if page.suffix == ".ipynb":
        return "A notebook"
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def target(page: Path) -> Path:
    """Return where a document of the project lies in the site."""
    return Path("index.html") if page == Path("README.md") else page.with_suffix(".html")


def _linked(content: str) -> str:
    """Return a page whose links lead to the other pages."""

    def renamed(match: re.Match[str]) -> str:
        path = Path(match[2])
        if path.suffix not in {".md", ".ipynb"}:
            return match[0]
        html = path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html")
        return f'{match[1]}="{html.as_posix()}'

    return _LINK.sub(renamed, content)


def _copy_linked(folder: Path, content: str, site: Path) -> None:
    """Copy the pictures and files that a page leads to."""
    for _, link in _LINK.findall(content):
        path = normpath((folder / link).as_posix())
        if Path(path).suffix not in {".md", ".ipynb"}:
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, site / path)


def _write(site: Path, page: Path, title: str, content: str, titles: dict[Path, str]) -> None:
    place = target(page)
    links = {target(entry): name for entry, name in titles.items()} | {Path("api/cnnbp.html"): "Public names"}
    navigation = "".join(_entry(path, name, place) for path, name in links.items())
    (site / place).parent.mkdir(parents=True, exist_ok=True)
    html = _FRAME.format(title=escape(title), navigation=navigation, content=content)
    (site / place).write_text(html, encoding="utf-8")


def _entry(path: Path, name: str, place: Path) -> str:
    current = ' aria-current="page"' if path == place else ""
    return f'<a href="{relpath(path.as_posix(), place.parent.as_posix())}"{current}>{escape(name)}</a>'


def _notebook() -> str:
    """Return the notebook as it was run, without a page around it."""
    from nbconvert import HTMLExporter  # `make site` installs it

    exporter = HTMLExporter(template_name="basic")
    return str(exporter.from_filename(str(ROOT / NOTEBOOK))[0])


def _write_reference(folder: Path) -> None:
    """Write a page for each module with public names, from its docstrings."""
    for module, names in PUBLIC.items():
        _expose(module, names)
    short = pdoc.doc.formatannotation
    pdoc.doc.formatannotation = lambda annotation: short(annotation).replace(_ARRAY, "Array")
    pdoc.render.configure(docformat="markdown", footer_text=f"cnnbp {cnnbp.__version__}")
    pdoc.pdoc(*PUBLIC, output_directory=folder)


def _expose(module: str, names: tuple[str, ...]) -> None:
    """Let a module show its public names and no others; those that it imports when they are asked for, too."""
    found = import_module(module)
    for name in names:
        setattr(found, name, getattr(found, name))
    found.__all__ = list(names)  # type: ignore[attr-defined]


def broken_links(site: Path) -> Iterator[str]:
    """Yield each link of a document that leads to no file, or to no place in its page."""
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html") if "api" not in page.parts}
    for page, content in pages.items():
        for link in re.findall(r'\b(?:href|src)="(?![a-z]+:)([^"]+)', content):
            path, _, place = link.partition("#")
            file = (page.parent / path).resolve() if path else page.resolve()
            if not file.is_file() or (place and f'id="{place}"' not in file.read_text(encoding="utf-8")):
                yield f"{page.relative_to(site)}: {link}"


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "site").resolve()
    build(folder)
    if broken := [*broken_links(folder)]:
        sys.exit("links that lead nowhere:\n" + "\n".join(broken))
    print(f"wrote {folder / 'index.html'}")
