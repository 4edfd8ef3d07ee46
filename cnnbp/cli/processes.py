"""Training on ranks: they are joined, they speak with one voice, and they end together."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path

import typer

from cnnbp.cli.verbs import failure, processes_started, show_error
from cnnbp.engine.ranks import ALONE, Ranks
from cnnbp.errors import ConfigError, Diverged

_PATIENCE = 2.0  # seconds for the others to fail as well, as they do where the fault is in what all of them read
_LONG_PATIENCE = 60.0  # where all ranks look for the cause first
_BUG = 1


def join() -> Ranks:
    """Return the processes that were started with this one. Raises ConfigError where they cannot be joined."""
    started = processes_started()
    if started == 1:
        return ALONE
    try:
        from cnnbp.engine.mpi import MpiRanks
    except (ImportError, RuntimeError) as error:  # no mpi4py, or it finds no MPI library
        raise ConfigError(
            f"{started} processes were started to train together; that needs mpi4py and an MPI library on every host: "
            f"pip install 'cnnbp[mpi]' ({error})"
        ) from error
    ranks = MpiRanks()
    if ranks.size != started:
        raise ConfigError(
            f"{started} processes were started together, but mpi4py's MPI library sees {ranks.size}: "
            "start them with the mpiexec that belongs to that library"
        )
    return ranks


@contextmanager
def as_one(ranks: Ranks) -> Iterator[None]:
    """A context in which only rank 0 has a stdout, and which all ranks leave together.

    Where one fails alone, its message is shown with its rank and host, and all are ended.
    """
    if ranks.size == 1:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere) if ranks.rank else nullcontext():
        try:
            yield
        except typer.Exit:
            ranks.meet(None)
            raise
        except BaseException as error:
            raise _failed(error, ranks) from error
        ranks.meet(None)


def _failed(error: BaseException, ranks: Ranks) -> typer.Exit:
    """Show an error once: rank 0 at once, any other one where it turns out that it failed alone."""
    message, code = _explained(error)
    if message and ranks.rank == 0:
        show_error(message)
    patience = _LONG_PATIENCE if isinstance(error, Diverged) else _PATIENCE
    if not ranks.meet(patience + (ranks.rank > 0)):  # rank 0, which has told it already, is the first to give up
        if message and ranks.rank:
            show_error(f"rank {ranks.rank} on {ranks.host}: {message}")
        ranks.abort(code)
    return typer.Exit(code)


def _explained(error: BaseException) -> tuple[str, int]:
    return failure(error) or ("".join(traceback.format_exception(error)), _BUG)
