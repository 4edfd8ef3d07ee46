"""A page as one file of HTML: template, style, script and numbers in it."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cnnbp.files import opened, written_whole

_ASSETS = Path(__file__).parent / "assets"
_GENERATOR = b'<meta name="generator" content="cnnbp">'
_STYLES = ("page.css",)
_SCRIPTS = (
    "numbers.js",
    *("factors.js", "explain_forward.js", "explain_backward.js", "explain_loss.js", "explain.js"),
    *("formulas.js", "heatmaps.js", "sheets.js"),
    *("stations.js", "update.js", "attention.js", "explanation.js"),
    *("exercises.js", "page.js"),
)


def render(document: dict[str, Any]) -> str:
    """Return the HTML of a page's document; it needs no other file and no network."""
    environment = Environment(
        loader=PackageLoader("cnnbp.page", "assets"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the order of the chain is told by it
    template = environment.get_template("page.html.j2")
    return template.render(page=document, style=_assets(_STYLES), script=_assets(_SCRIPTS))


def is_page(path: Path) -> bool:
    """Whether a file is a page that was written here before."""
    with opened(path) as file:
        return _GENERATOR in file.read(1024)


def save_page(document: dict[str, Any], path: Path) -> int:
    """Write a page, whole or not at all, and return its size in bytes. Raises CheckpointError where that fails."""
    html = render(document).encode()
    with written_whole(path) as file:
        file.write(html)
    return len(html)


def _assets(names: tuple[str, ...]) -> Markup:
    return Markup("\n".join((_ASSETS / name).read_text(encoding="utf-8") for name in names))
