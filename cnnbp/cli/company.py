"""Whether mpiexec or srun has started several processes, without asking MPI."""

import os
from collections.abc import Sequence

import typer

from cnnbp.errors import ConfigError

# MPICH and Intel MPI, Open MPI, and Slurm's srun tell every process where it stands.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


def processes_started() -> int:
    """Return how many processes were started together; 1 for one that is on its own."""
    return _told(_SIZES, 1)


def refuse_company(verb: str) -> None:
    """Raise ConfigError in the first of several processes, and end the others, for a verb that is one process's."""
    if processes_started() == 1:
        return
    if _told(_RANKS, 0):
        raise typer.Exit(ConfigError.exit_code)
    raise ConfigError(f"cnnbp {verb} works in one process: start it without mpiexec or srun; only train uses several")


def _told(names: Sequence[str], default: int) -> int:
    """Return the first of these environment variables that is a number."""
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdecimal()), default)
