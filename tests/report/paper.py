"""A console of a fixed width whose lines can be read afterwards."""

import io

from rich.console import Console


def printed(draw, *arguments, width=80):
    """Return the lines that a drawing function prints."""
    file = io.StringIO()
    draw(*arguments, Console(file=file, width=width, markup=False, emoji=False, highlight=False))
    return [line.rstrip() for line in file.getvalue().splitlines()]
