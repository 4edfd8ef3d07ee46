"""Imported layers as a user has them: a run keeps their code, and nothing runs it unasked."""

import json
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from tests.cli.command import COMMAND, ROOT, cnnbp
from tests.cli.runs import document
from tests.config.test_own_layers import SWISH
from tests.mpi.jobs import needs_mpiexec

CONFIG = f"""import: [mine/swishes.py]
input: {{channels: 1, height: 8, width: 8}}
data: {{path: {ROOT}/datasets/digits}}
layers:
  - conv2d: {{filters: 4, kernel: 3}}
  - swish
  - flatten
  - dense: {{units: 10}}
loss: cross_entropy
train: {{epochs: 2}}
"""
REFUSED = "was trained with layers of its own, which are Python code: swishes.py (SHA-256 "
IMAGE = min((ROOT / "datasets/digits/test/3").iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Train a run whose layer leaves a mark in `ran` whenever its file is run."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine").mkdir()
    (folder / "mine/swishes.py").write_text(f"open({str(folder / 'ran')!r}, 'a').write('x')\n{SWISH}")
    (folder / "c.yaml").write_text(CONFIG)
    exit_code, _, errors = cnnbp("train", "c.yaml", "--run", "run", "--no-plots", "--threads", 2, cwd=folder)
    assert exit_code == 0, errors
    assert "imported swishes.py: swish (SHA-256 " in errors
    return folder


def ran(folder):
    """Tell how often the file has been run since the last time."""
    marks = folder / "ran"
    count = len(marks.read_text()) if marks.exists() else 0
    marks.unlink(missing_ok=True)
    return count


def test_a_run_keeps_a_copy_of_the_code_and_its_digest(folder):
    source = (folder / "mine/swishes.py").read_bytes()
    assert (folder / "run/imported/swishes.py").read_bytes() == source
    environment = json.loads((folder / "run/environment.json").read_text())
    assert environment["imported"] == {"swishes.py": sha256(source).hexdigest()}
    assert (folder / "run/config.yaml").read_text().startswith("import: [imported/swishes.py]\n")
    with np.load(folder / "run/checkpoints/best.npz") as arrays:
        description = json.loads(arrays["description"].tobytes())
    assert description["code"] == [
        {"name": "swishes.py", "sha256": sha256(source).hexdigest(), "source": source.decode()}
    ]
    assert "import: [swishes.py]" in description["config"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "run"],
        ["evaluate", "run/checkpoints/best.npz"],
        ["evaluate", "alone.npz", ROOT / "datasets/digits"],
        ["predict", "alone.npz", IMAGE],
        ["export", "alone.npz", "--to", "npz", "-o", "out.npz", "--force"],
        ["grads", "run", "--batch", 2],
        ["gradcheck", "run/checkpoints/last.npz", "--entries", 3],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[1]}",
)
def test_a_run_or_a_checkpoint_alone_runs_its_code_with_trust_only(folder, arguments):
    (folder / "alone.npz").write_bytes((folder / "run/checkpoints/best.npz").read_bytes())
    ran(folder)
    exit_code, screen, errors = cnnbp(*arguments, cwd=folder)
    assert (exit_code, screen, ran(folder)) == (3, "", 0)
    assert REFUSED in errors
    assert "--trust" in errors
    exit_code, _, errors = cnnbp(*arguments, "--trust", cwd=folder)
    assert (exit_code, ran(folder)) == (0, 1), errors


def test_a_run_goes_on_with_trust_to_the_bytes_of_one_that_never_stopped(folder):
    assert cnnbp("train", "c.yaml", "train.epochs=3", "--run", "whole", "--no-plots", cwd=folder)[0] == 0
    assert cnnbp("train", "c.yaml", "--run", "part", "--no-plots", cwd=folder)[0] == 0
    ran(folder)
    exit_code, _, errors = cnnbp("train", "--resume", "part", "train.epochs=3", cwd=folder)
    assert (exit_code, ran(folder)) == (3, 0)
    assert REFUSED in errors
    exit_code, screen, errors = cnnbp(
        "train", "--resume", "part", "train.epochs=3", "--trust", "--no-plots", cwd=folder
    )
    assert exit_code == 0, errors
    assert "cnnbp evaluate part --trust" in screen
    whole, part = (folder / run / "checkpoints/last.npz" for run in ("whole", "part"))
    assert whole.read_bytes() == part.read_bytes()


def test_a_copy_that_has_changed_is_refused_with_trust_as_well(folder):
    assert cnnbp("train", "c.yaml", "train.epochs=1", "--run", "changed", "--no-plots", cwd=folder)[0] == 0
    copy = folder / "changed/imported/swishes.py"
    copy.write_text(copy.read_text() + "# better\n")
    ran(folder)
    for arguments in (["evaluate", "changed"], ["train", "--resume", "changed", "train.epochs=2"]):
        exit_code, screen, errors = cnnbp(*arguments, "--trust", cwd=folder)
        assert (exit_code, screen) == (3, "")
        assert "'changed/imported/swishes.py' has changed" in errors


def test_listing_runs_and_a_strangers_configuration_in_a_run_run_nothing(folder):
    ran(folder)
    assert document("runs", folder)[0]["options"]["layers.1.swish.beta"] == 1.0
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'a').write('evil')\n{SWISH}")
    stranger = folder / "run/config.yaml"
    before = stranger.read_text()
    stranger.write_text(before.replace("imported/swishes.py", "../evil.py"))
    try:
        exit_code, _, errors = cnnbp("evaluate", "run", "--trust", cwd=folder)
        assert exit_code in (2, 3)
        assert "'evil.py' is not among the imported files that belong to it: swishes.py" in errors
    finally:
        stranger.write_text(before)
    assert ran(folder) == 1  # what the checkpoint carries, with trust


def test_all_verbs_that_take_a_configuration_know_its_layers(folder):
    assert "swish" in cnnbp("shapes", "c.yaml", cwd=folder)[1]
    assert "swish" in cnnbp("schema", "c.yaml", cwd=folder)[1]
    assert cnnbp("gradcheck", "c.yaml", "--entries", 5, cwd=folder)[0] == 0
    assert cnnbp("train", "c.yaml", "--dry-run", cwd=folder)[0] == 0
    reference = ["grads", "c.yaml", "--batch", 3, "--save", "ref.npz", "--force"]
    assert cnnbp(*reference, cwd=folder)[0] == 0
    ran(folder)
    exit_code, screen, _ = cnnbp("compare", "ref.npz", "ref.npz", cwd=folder)
    assert (exit_code, "EQUAL" in screen, ran(folder)) == (0, True, 0)


def test_a_mistake_in_a_layer_is_one_message_in_a_team_of_processes_too(folder):
    broken = SWISH.replace("        s = 1", "        assert x.shape[-1] < 8, 'too many'\n        s = 1")
    (folder / "mine/broken.py").write_text(broken)
    (folder / "d.yaml").write_text(CONFIG.replace("swishes.py", "broken.py"))
    exit_code, _, errors = cnnbp("train", "d.yaml", "--threads", 2, "--no-plots", "-q", cwd=folder)
    assert exit_code == 2
    assert errors.startswith("error: broken.py, line 15, in Swish.forward: AssertionError: too many\n")
    assert "Traceback" not in errors


@needs_mpiexec
def test_ranks_train_with_it_to_the_same_bytes(folder):
    mpiexec = [f"{sys.prefix}/bin/mpiexec", "-n", "2", *COMMAND]
    command = [*mpiexec, "train", "c.yaml", "--run", "ranks", "--threads", "1", "--no-plots", "-q"]
    subprocess.run(command, cwd=folder, check=True, timeout=120, stdout=subprocess.DEVNULL)
    assert (folder / "ranks/checkpoints/last.npz").read_bytes() == (folder / "run/checkpoints/last.npz").read_bytes()
