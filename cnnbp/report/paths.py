"""The product of the path in the terminal: factors in a line, their shapes below them."""

from collections.abc import Iterator

from rich.text import Text

from cnnbp.inspect.path import Factor, Path


def path_lines(start: str, path: Path, width: int) -> Iterator[Text]:
    """Yield pairs of lines, as many as the width asks for: the factors, and below each its shape."""
    above, below = start, " " * len(start)
    for factor, shape in _tokens(path):
        cells = max(len(factor), len(shape))
        if len(above) + cells > width:
            yield from (Text(above.rstrip()), Text(below.rstrip(), style="dim"))
            above = below = " " * len(start)
        above, below = above + factor.ljust(cells), below + shape.ljust(cells)
    yield from (Text(above.rstrip()), Text(below.rstrip(), style="dim"))


def _tokens(path: Path) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(path):
        dot = " · " if index else ""
        if isinstance(part, Factor):
            yield f"{dot}∂{part.of}/∂{part.by}", " " * len(dot) + f"{part.rows}×{part.columns}"
            continue
        for number, way in enumerate(part.paths):
            yield (f"{dot}(" if number == 0 else " + "), ""
            yield from _tokens(way)
        yield ")", ""
