"""How ranks end together; what needs a real mpiexec is in tests/mpi."""

import pytest
import typer

from cnnbp.cli.ranks import as_one
from cnnbp.errors import DataError
from tests.cli.command import ROOT, cnnbp


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
