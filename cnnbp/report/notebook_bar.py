"""A console that a notebook shows, and progress in it that leaves nothing but its rows."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO
from time import monotonic

from rich.console import Console

from cnnbp.report.console import notes_console
from cnnbp.report.progress import Bar, progress_bar

_WIDTH = 140  # characters: what a notebook's output has room for
_PAUSE = 0.1  # seconds between two looks at the progress
STYLE = (
    "overflow-x:auto;white-space:pre;line-height:1.25;font-size:12px;"
    "font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace"
)


def recording_console() -> Console:
    """Return a console that shows nothing, and remembers all."""
    return Console(
        file=StringIO(),
        record=True,
        width=_WIDTH,
        force_terminal=True,
        force_interactive=False,
        force_jupyter=False,  # else Rich displays what it is given, too
        color_system="truecolor",
        markup=False,
        emoji=False,
        highlight=False,
    )


def recorded_html(console: Console) -> str:
    """Return what a console has recorded, with its colours."""
    style = f'<pre style="{STYLE}">{{code}}</pre>'
    return console.export_html(inline_styles=True, code_format=style, clear=False)


@contextmanager
def epochs_bar(wanted: bool) -> Iterator[tuple[Console, "Bar | NotebookBar"]]:
    """Give a console for the epochs, and a bar that goes away: on stderr, or in the output of a notebook's cell."""
    if not (wanted and _in_notebook()):
        console = notes_console(quiet=not wanted)
        with progress_bar(console) as bar:
            yield console, bar
        return
    console = recording_console()
    below = NotebookBar(console)
    try:
        yield console, below
    finally:
        below.close()


def _in_notebook() -> bool:
    """Tell whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookBar:
    """A bar below what a console has recorded, in the output of a cell; at the end the record alone is left."""

    def __init__(self, console: Console) -> None:
        from IPython.display import HTML, display  # there is a kernel, so there is IPython

        self._console, self._html = console, HTML
        self._handle = display(HTML(""), display_id=True)
        self._shown_at = 0.0

    def show(self, what: str, done: int, total: int, note: Callable[[], str] = str) -> None:
        """Say that `done` of `total` is done."""
        if monotonic() - self._shown_at >= _PAUSE:
            self._shown_at = monotonic()
            label = escape(f"{what}  {done}/{total}  {note()}")
            self._update(f'<progress value="{done}" max="{total}"></progress> <code>{label}</code>')

    def close(self) -> None:
        """Take the bar away."""
        self._update("")

    def _update(self, bar: str) -> None:
        self._handle.update(self._html(recorded_html(self._console) + bar))
