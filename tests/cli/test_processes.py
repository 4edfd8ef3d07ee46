"""Several processes that were started together: how a verb sees them, and how they end; tests/mpi starts real ones."""

import subprocess
import sys

import pytest
import typer

from cnnbp.cli.processes import as_one
from cnnbp.errors import DataError
from tests.cli.command import ROOT, cnnbp, environment


class Lonely:
    """A rank whose companions wait elsewhere and never come to a meeting."""

    size, host = 2, "beta"

    def __init__(self, rank):
        self.rank, self.ended_with = rank, None

    def meet(self, seconds):
        return False

    def abort(self, code):
        self.ended_with = code


@pytest.mark.parametrize(("rank", "told"), [(0, "error: no image\n"), (1, "error: rank 1 on beta: no image\n")])
def test_a_rank_that_fails_alone_says_so_once_and_ends_all(capsys, rank, told):
    ranks = Lonely(rank)
    with pytest.raises(typer.Exit) as ended, as_one(ranks):
        raise DataError("no image")
    assert (ended.value.exit_code, ranks.ended_with) == (3, 3)
    assert capsys.readouterr().err == told


def test_a_bug_of_one_rank_keeps_its_traceback_and_ends_all(capsys):
    ranks = Lonely(1)
    with pytest.raises(typer.Exit), as_one(ranks):
        raise ZeroDivisionError("a bug")
    assert ranks.ended_with == 1
    assert "Traceback" in (told := capsys.readouterr().err)
    assert "ZeroDivisionError: a bug" in told


def test_an_mpiexec_that_does_not_belong_to_mpi4py_is_seen(tmp_path):
    pytest.importorskip("mpi4py")
    config = ROOT / "configs" / "digits.yaml"
    code, out, err = cnnbp("train", config, cwd=tmp_path, OMPI_COMM_WORLD_SIZE="4", OMPI_COMM_WORLD_RANK="1")
    assert (code, out) == (2, "")
    assert err.endswith(
        "error: 4 processes were started together, but mpi4py's MPI library sees 1: "
        "start them with the mpiexec that belongs to that library\n"
    )


CONFIG = ROOT / "configs" / "digits.yaml"


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_a_verb_that_is_one_processs_says_so_once(name):
    rank = {"PMI_SIZE": "PMI_RANK", "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK"}.get(name, "SLURM_PROCID")
    code, out, err = cnnbp("shapes", CONFIG, **{name: "4", rank: "0"})
    assert (code, out) == (2, "")
    assert err == (
        "error: cnnbp shapes works in one process: start it without mpiexec or srun; only train uses several\n"
    )
    assert cnnbp("shapes", CONFIG, **{name: "4", rank: "3"}) == (2, "", "")


def test_one_process_under_mpiexec_is_like_any_other():
    code, out, err = cnnbp("shapes", CONFIG, PMI_SIZE="1", PMI_RANK="0")
    assert (code, err) == (0, "")
    assert "conv1" in out


def test_without_mpi4py_training_together_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['mpi4py'] = None; from cnnbp.cli import main; main()"
    command = [sys.executable, "-c", program, "train", str(CONFIG)]
    variables = environment(OMPI_COMM_WORLD_SIZE="4", OMPI_COMM_WORLD_RANK="1")
    result = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (2, "")
    assert "error: 4 processes were started to train together" in result.stderr
    assert "pip install 'cnnbp[mpi]'" in result.stderr
    assert "Traceback" not in result.stderr
