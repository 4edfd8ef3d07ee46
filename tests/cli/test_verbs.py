"""The command as a user runs it: real processes, real files."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from tests.cli import command

CONFIGS = command.ROOT / "configs"


def cnnbp(*arguments: object, cwd: Path) -> CompletedProcess[str]:
    return CompletedProcess(arguments, *command.cnnbp(*arguments, cwd=cwd))


def refused(result: CompletedProcess[str], code: int) -> str:
    assert result.returncode == code, result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return result.stderr


def train_lecture(run: Path) -> CompletedProcess[str]:
    config = CONFIGS / "lecture.yaml"
    return cnnbp("train", config, "train.epochs=3", "--run", run, "--no-plots", cwd=run.parent)


def test_training_prints_shapes_gradients_and_curves_and_writes_a_run(tmp_path: Path) -> None:
    result = train_lecture(tmp_path / "run")
    assert result.returncode == 0, result.stderr
    for expected in ("1×4×4×M", "∂L/∂W1", "∂L/∂b2", "loss", "accuracy", "true \\ predicted"):
        assert expected in result.stdout
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    assert sum(line.startswith("epoch ") for line in result.stderr.splitlines()) == 3


def test_training_twice_with_one_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        assert train_lecture(run).returncode == 0
    for name in ("last.npz", "best.npz"):
        first, second = ((run / "checkpoints" / name).read_bytes() for run in runs)
        assert first == second


def test_a_run_directory_is_never_overwritten(tmp_path: Path) -> None:
    assert train_lecture(tmp_path / "run").returncode == 0
    before = (tmp_path / "run" / "checkpoints" / "last.npz").read_bytes()
    again = train_lecture(tmp_path / "run")
    assert again.returncode in (2, 3)
    assert "error: " in again.stderr
    assert (tmp_path / "run" / "checkpoints" / "last.npz").read_bytes() == before


def test_shapes_speaks_the_lectures_names(tmp_path: Path) -> None:
    result = cnnbp("shapes", CONFIGS / "lecture.yaml", "--backward", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for expected in ("X", "Z1", "A1", "F", "f", "Z2", "A2", "∂L/∂W1", "1×1×3×3×M", "1×4×M"):
        assert expected in result.stdout


def test_shapes_as_json_is_one_document(tmp_path: Path) -> None:
    document = json.loads(cnnbp("shapes", CONFIGS / "lecture.yaml", "--json", cwd=tmp_path).stdout)
    assert document["layers"][0]["output_shape"] == [1, 4, 4]
    assert document["layers"][0]["gradients"]["W"] == [1, 1, 3, 3]


def test_a_correct_network_passes_its_gradient_check(tmp_path: Path) -> None:
    result = cnnbp("gradcheck", CONFIGS / "lecture.yaml", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "PASS" in result.stdout


def test_the_saved_gradients_are_those_of_the_saved_batch(tmp_path: Path) -> None:
    saved = tmp_path / "batch.npz"
    assert cnnbp("grads", CONFIGS / "lecture.yaml", "--save", saved, cwd=tmp_path).returncode == 0
    with np.load(saved, allow_pickle=False) as arrays:
        assert arrays["X"].shape == (1, 6, 6, 4)
        assert arrays["grad/conv1.W"].shape == arrays["param/conv1.W"].shape == (1, 1, 3, 3)


@pytest.mark.parametrize("verb", ["train", "shapes", "gradcheck", "grads"])
def test_an_unknown_option_is_named_with_its_place(verb: str, tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text((CONFIGS / "lecture.yaml").read_text().replace("filters: 1", "filter: 1"))
    message = refused(cnnbp(verb, config, cwd=tmp_path), 2)
    assert 'did you mean "filters"?' in message
    assert "wrong.yaml:" in message


def test_a_missing_image_folder_ends_with_3(tmp_path: Path) -> None:
    message = refused(cnnbp("train", CONFIGS / "lecture.yaml", tmp_path / "nowhere", cwd=tmp_path), 3)
    assert "nowhere" in message


def test_init_writes_a_configuration_that_has_shapes_and_does_not_overwrite_it(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    assert cnnbp("init", config, cwd=tmp_path).returncode == 0
    assert cnnbp("shapes", config, cwd=tmp_path).returncode == 0
    refused(cnnbp("init", config, cwd=tmp_path), 2)
