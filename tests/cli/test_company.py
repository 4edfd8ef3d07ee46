"""Several processes that were started together, told by their environment: no MPI is needed to see that."""

import subprocess
import sys

import pytest

from tests.cli.command import ROOT, cnnbp, environment

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
