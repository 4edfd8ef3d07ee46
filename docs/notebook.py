"""The notebook: its cells as Python, for a test that runs them without a kernel, and its outputs anew by a real one.

    python -m docs.notebook     run docs/notebook.ipynb in a kernel, and write its outputs; needs nbclient and ipykernel

These are 75 packages, which the tests do not need to see whether the cells do what they show.
"""

import ast
import contextlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


@dataclass(frozen=True)
class Cell:
    """A cell of code, and what the notebook shows of its last expression and of what it prints."""

    source: str
    result: str
    printed: str
    html: str


def cells() -> list[Cell]:
    """Return the cells of code, in their order."""
    return [_cell(cell) for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def run() -> list[Cell]:
    """Run all cells in the folder of the project, and return them with what they show now."""
    names: dict[str, Any] = {}
    with contextlib.chdir(ROOT):
        return [_run(cell.source, names) for cell in cells()]


def _cell(cell: dict[str, Any]) -> Cell:
    outputs = cell["outputs"]
    results = [output["data"] for output in outputs if output["output_type"] == "execute_result"]
    printed = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")
    shown = results[0] if results else {}
    plain, html = ("".join(shown.get(kind, "")) for kind in ("text/plain", "text/html"))
    return Cell("".join(cell["source"]), plain, printed, html)


def _run(source: str, names: dict[str, Any]) -> Cell:
    tree, printed, value = ast.parse(source), io.StringIO(), None
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if last:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307  (our own notebook)
    html = value._repr_html_() if hasattr(value, "_repr_html_") else ""
    return Cell(source, "" if value is None else repr(value), printed.getvalue(), html)


def main() -> None:
    """Run the notebook in a kernel, as a reader would, and write it back."""
    import nbformat
    from nbclient import NotebookClient

    os.environ.pop("COLUMNS", None)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which are not the same twice
    notebook.metadata.pop("language_info", None)
    text = nbformat.writes(notebook).replace(f"{ROOT}/", "")  # where it was run
    NOTEBOOK.write_text(f"{text.rstrip()}\n", "utf-8")


if __name__ == "__main__":
    main()
