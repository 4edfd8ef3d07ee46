"""A progress bar on stderr, where there is a terminal."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_KERNEL = "JPY_PARENT_PID"  # of a notebook: what `!` runs there has a terminal, but one that takes nothing back
_PAUSE = 0.05  # seconds between two looks at the bar: steps may be a hundred times as fast


class Bar:
    """One bar for whatever is going on at the moment."""

    def __init__(self, console: Console, after: float = 0.0) -> None:
        """Nothing is shown in the first `after` seconds."""
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal or console.quiet or _KERNEL in os.environ,
        )
        self.task = self.progress.add_task("", total=None, note="", visible=False)
        self.what, self.shown_at = "", monotonic() + after - _PAUSE

    @property
    def moves(self) -> bool:
        """Whether it is drawn over and over on the terminal's last line."""
        return not self.progress.disable and self.progress.console.is_interactive

    def show(self, what: str, done: int, total: int, note: Callable[[], str] = str) -> None:
        """Say that `done` of `total` is done; a new `what` begins a new bar. `note` is asked only when it is shown."""
        now = monotonic()
        if self.progress.disable or now - self.shown_at < (_PAUSE if what == self.what else 0):
            return
        if what != self.what:
            self.progress.reset(self.task, description=what, total=total, note="", visible=True)
        self.what, self.shown_at = what, now
        self.progress.update(self.task, completed=done, total=total, note=note())

    @contextmanager
    def away(self) -> Iterator[None]:
        """Clear the line, for something that is printed on stdout, which may be the same terminal."""
        self.progress.stop()
        yield
        self.progress.start()


@contextmanager
def progress_bar(console: Console, after: float = 0.0) -> Iterator[Bar]:
    """Show one bar that goes away at the end, from `after` seconds on; nothing where there is no terminal."""
    bar = Bar(console, after)
    with bar.progress:
        yield bar
