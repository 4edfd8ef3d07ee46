"""Pictures of the terminal, made of what real commands print.

python -m docs.pictures [NAME …]     writes docs/pictures/NAME.svg, by default all
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"

_PIECES = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])|(\r|\n|[^\r\n\x1b]+)")
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # fetched from elsewhere: the reader's own will do


@dataclass(frozen=True)
class Picture:
    """A command, and which of its lines are shown: from the last that begins with `start` up to one with `end`."""

    command: str
    start: str = ""
    end: str = "\0"
    columns: int = 100


PICTURES = {
    "shapes": Picture("cnnbp shapes configs/lecture.yaml --backward", columns=112),
    "train": Picture("cnnbp train configs/digits.yaml train.epochs=12", start="epoch ", end="Batch gradients"),
    "gradcheck": Picture("cnnbp gradcheck configs/digits.yaml --break conv2:dX-unflipped"),
    "grads": Picture("cnnbp grads configs/lecture.yaml", start="Backward", end="One update"),
    "evaluate": Picture("cnnbp train configs/digits.yaml -q --no-plots >/dev/null; cnnbp evaluate runs/digits"),
}


def main() -> None:
    """Make the pictures that the command line names, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        picture = PICTURES[name]
        lines = list(_shown(_screen(picture), picture))
        (FOLDER / f"{name}.svg").write_text(_svg(lines, picture.command.rpartition("; ")[2], name), encoding="utf-8")
        print(f"docs/pictures/{name}.svg  {len(lines)} lines")


def _screen(picture: Picture) -> list[str]:
    """Run the command in a folder with the configurations, as if in a terminal; return its lines with their colours."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("configs", "datasets"):
            (Path(folder) / name).symlink_to(ROOT / name)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        forced = {"FORCE_COLOR": "1", "COLUMNS": str(picture.columns), "TERM": "xterm-256color", "PATH": path}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **forced}
        result = subprocess.run(
            picture.command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    return left_over(result.stdout.decode().replace(str(ROOT) + "/", ""))


def left_over(output: str) -> list[str]:
    """Return the lines that stay when progress bars have come and gone."""
    lines, row = [""], 0
    for code, text in _PIECES.findall(output):
        if code.endswith("A"):
            row -= int(code[2:-1] or 1)
        elif code == "\x1b[2K":
            lines[row] = ""
        elif text == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif code.endswith("m") or text != "\r":
            lines[row] += code if code.endswith("m") else text
    return lines


def _shown(lines: list[str], picture: Picture) -> Iterator[str]:
    plain = [Text.from_ansi(line).plain for line in lines]
    first = max(index for index, line in enumerate(plain) if line.startswith(picture.start)) if picture.start else 0
    for line, text in zip(lines[first:], plain[first:], strict=True):
        if text.startswith(picture.end):
            return
        yield line


def _svg(lines: list[str], command: str, name: str) -> str:
    texts = [Text.from_ansi(line) for line in lines]
    for text in texts:
        text.rstrip()
    width = max(text.cell_len for text in texts)
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for text in texts:
        console.print(text)
    svg = _FONT.sub("", console.export_svg(title=command, unique_id=name))
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    main()
