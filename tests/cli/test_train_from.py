"""`cnnbp train --from`: another run, or a file, in the place of drawn parameters."""

import numpy as np
import pytest

from tests.cli.command import cnnbp
from tests.training.jobs import images

CONFIG = """
seed: {seed}
input: {{channels: 1, height: 4, width: 4}}
data: {{path: images}}
layers:
  - conv2d: {{name: conv1, filters: 2, kernel: 3, pad: same}}
  - batchnorm: {{name: norm}}
  - flatten
  - dense: {{name: out, units: 2}}
loss: cross_entropy
train: {{epochs: 2, batch_size: 4, freeze: {freeze}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("from")
    images(folder / "images", (10, 10))
    (folder / "first.yaml").write_text(CONFIG.format(seed=0, freeze="[]"))
    (folder / "second.yaml").write_text(CONFIG.format(seed=1, freeze="[conv1, norm]"))
    assert cnnbp("train", "first.yaml", "--run", "first", "--no-plots", cwd=folder)[0] == 0
    assert cnnbp("export", "first", "--to", "npz", "-o", "first.npz", cwd=folder)[0] == 0
    assert cnnbp("export", "first", "--to", "safetensors", "-o", "first.safetensors", cwd=folder)[0] == 0
    return folder


def parameters(checkpoint):
    with np.load(checkpoint) as content:
        return {name.partition("/")[2]: array for name, array in content.items() if name.startswith("parameters/")}


@pytest.mark.parametrize("source", ["first", "first/checkpoints/best.npz", "first.npz", "first.safetensors"])
def test_what_fits_is_taken_and_what_is_frozen_stays_so(folder, tmp_path, source):
    code, screen, errors = cnnbp(
        "train", "second.yaml", "--from", source, "--run", tmp_path / "run", "--no-plots", cwd=folder
    )
    assert code == 0, errors
    assert f"from     {source}: 8 of 8 tensors" in screen
    assert "frozen   conv1, norm: 24 parameters stay as they are" in screen
    learned, went_on = (
        parameters(folder / "first/checkpoints/best.npz"),
        parameters(tmp_path / "run/checkpoints/last.npz"),
    )
    for name in learned:
        assert (learned[name].tobytes() == went_on[name].tobytes()) == (not name.startswith("out")), name
    assert ("is not known" in errors) == source.startswith("first.")


def test_what_does_not_fit_is_named_and_drawn(folder, tmp_path):
    np.savez(
        tmp_path / "some.npz", **{"conv1.W": np.zeros((2, 1, 3, 3)), "out.W": np.zeros((3, 32)), "odd.W": np.zeros(1)}
    )
    command = ["train", "first.yaml", "--from", tmp_path / "some.npz", "--run", tmp_path / "run", "--no-plots"]
    code, screen, errors = cnnbp(*command, cwd=folder)
    assert code == 0, errors
    assert "1 of 8 tensors; not in it: conv1.b, norm.gamma" in screen
    assert "not taken from it: out.W: 3×32, and here 2×32" in errors
    assert "not taken from it: odd.W: the network has none of that name" in errors


@pytest.mark.parametrize(
    ("arrays", "message"),
    [({"a.W": np.zeros(2)}, "nothing in"), ({"conv1.b": np.array([1, np.nan])}, "not finite")],
)
def test_a_file_of_nothing_that_fits_and_numbers_that_are_none_are_refused(folder, tmp_path, arrays, message):
    np.savez(tmp_path / "some.npz", **arrays)
    code, _, errors = cnnbp(
        "train", "first.yaml", "--from", tmp_path / "some.npz", "--run", tmp_path / "run", cwd=folder
    )
    assert (code, message in errors) == (3, True)
    assert not (tmp_path / "run").exists()


def test_images_that_trained_the_source_do_not_validate(folder, tmp_path):
    """Another seed divides the folder otherwise; what the source has learned by heart must not be held out."""
    code, _, errors = cnnbp(
        "train", "second.yaml", "--from", "first", "--run", tmp_path / "run", "--no-plots", cwd=folder
    )
    assert code == 0, errors
    splits = [
        dict(line.split(",")[:2][::-1] for line in (run / "split.csv").read_text().splitlines()[1:])
        for run in (folder / "first", tmp_path / "run")
    ]
    assert splits[0] == splits[1]
    code, _, errors = cnnbp("train", "--resume", "first", "--from", "first", cwd=folder)
    assert code == 2
    assert "do not go together" in errors


def test_a_run_that_goes_on_is_one_that_never_stopped(folder, tmp_path):
    begin = ["train", "second.yaml", "--from", "first", "train.ema=0.9", "--no-plots", "--run"]
    assert cnnbp(*begin, tmp_path / "whole", "train.epochs=4", cwd=folder)[0] == 0
    assert cnnbp(*begin, tmp_path / "part", cwd=folder)[0] == 0
    code, _, errors = cnnbp("train", "--resume", tmp_path / "part", "train.epochs=4", "--no-plots", cwd=folder)
    assert code == 0, errors
    for name in ("last", "best"):
        whole, part = (tmp_path / run / "checkpoints" / f"{name}.npz" for run in ("whole", "part"))
        assert whole.read_bytes() == part.read_bytes()
