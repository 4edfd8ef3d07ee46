"""Several trainings one after the other on the same ranks, in one start: `mpiexec -n N python -m tests.mpi.trainings`.

Arguments: folder name of the runs, and configurations. Each is trained with one thread to a rank, and with two.
"""

import sys
from pathlib import Path

from cnnbp.cli import app


def main() -> None:
    name, *configs = sys.argv[1:]
    for config in map(Path, configs):
        for threads in (1, 2):
            run = config.parent / f"{name}-{threads}"
            app(
                ["train", str(config), "--run", str(run), "--threads", str(threads), "--no-plots"],
                standalone_mode=False,
            )


if __name__ == "__main__":
    main()
