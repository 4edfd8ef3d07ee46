"""Checkpoints come back to the bit; a damaged, foreign or newer one is refused through the command with exit 3."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from cnnbp.errors import CheckpointError
from cnnbp.training.archive import ArchiveReader, write_archive
from cnnbp.training.checkpoint import load_checkpoint, save_checkpoint
from cnnbp.training.loop import train
from tests.training.damage import read_with_flipped_bits
from tests.training.jobs import checkpoint, config, images, working
from tests.training.runs import train as run_train
from tests.training.runs import write_job


@pytest.fixture
def saved(tmp_path):
    """A checkpoint in the middle of an epoch, and its file."""
    with working(config(images(tmp_path / "images"), optimizer="adam")) as (job, state):
        for _ in zip(range(6), train(job, state), strict=False):
            pass
        assert state.history
        assert state.sums.steps
        path = tmp_path / "last.npz"
        save_checkpoint(path, checkpoint(job, state))
        yield path, checkpoint(job, state)


def arrays_of(state):
    yield "parameters", state.parameters.vector
    yield from state.slots.items()
    for layer, tensors in state.running_statistics.items():
        yield from ((f"{layer}.{name}", array) for name, array in tensors.items())


def assert_equal(found, expected):
    for name in ("classes", "normalization", "images", "class_counts"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("pixels", "names", "roles"):
        np.testing.assert_array_equal(getattr(found.known, name), getattr(expected.known, name), strict=True)
    for name in ("step", "sums", "history", "last_step"):
        assert getattr(found.state, name) == getattr(expected.state, name)
    for (name, one), (_, other) in zip(arrays_of(found.state), arrays_of(expected.state), strict=True):
        np.testing.assert_array_equal(one, other, strict=True, err_msg=name)


def rewrite(path, change):
    """Change the description and write the file again, its checksum right."""
    with ArchiveReader(path) as archive:
        description = json.loads(archive.read_bytes("description"))
    with np.load(path) as members:
        arrays = {name: members[name] for name in members.files if name != "checksum"}
    change(description, arrays)
    arrays["description"] = np.frombuffer(json.dumps(description).encode(), np.uint8)
    write_archive(path, arrays)


def test_a_checkpoint_comes_back_as_it_was_saved(saved):
    path, expected = saved
    assert_equal(load_checkpoint(path), expected)


def test_it_holds_no_path_and_no_time(saved, tmp_path):
    path, _ = saved
    assert str(tmp_path).encode() not in path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_its_loss_has_the_class_weights_worked_out(tmp_path):
    balanced = {"cross_entropy": {"class_weights": "balanced"}}
    settings = config(images(tmp_path / "images", (8, 4)), loss=balanced, data={"validation": 0})
    with working(settings) as (job, state):
        assert checkpoint(job, state).loss.class_weights == (12 / (2 * 8), 12 / (2 * 4))


def test_a_checkpoint_cut_off_at_every_fiftieth_is_refused(saved):
    path, _ = saved
    whole = path.read_bytes()
    for part in range(50):
        path.write_bytes(whole[: len(whole) * part // 50])
        with pytest.raises(CheckpointError, match="is damaged, or no checkpoint"):
            load_checkpoint(path)


def test_flipped_bits_are_refused_or_change_nothing(saved):
    path, expected = saved
    for found in read_with_flipped_bits(path, load_checkpoint, 500, seed=11):
        assert_equal(found, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, a: d.update(format=3), "a checkpoint of format 3; this cnnbp reads format 2$"),
        (lambda d, a: d.update(format=3, more=1), "a checkpoint of format 3"),
        (lambda d, a: d.update(format=1), "an earlier one does not say which images trained it; train it again"),
        (lambda d, a: d.update(known=-1), "no valid description"),
        (lambda d, a: d.update(known=13), r"images/pixels.npy is <u8 \(12,\), not <u8 \(13,\)"),
        (lambda d, a: d.update(known=10**12), "but its parameters and images need"),
        (lambda d, a: a["images/roles"].put(3, 3), "contradicts itself: some of its images neither train"),
        (lambda d, a: d.pop("format"), "format None"),
        (lambda d, a: d.pop("history"), "no valid description"),
        (lambda d, a: d.update(step="many"), "no valid description"),
        (lambda d, a: d.update(config="layers: 3"), "configuration in .* is not valid here"),
        (lambda d, a: a.pop("parameters/out.W"), "does not fit its own configuration: parameters/out.W"),
        (lambda d, a: a.update(more=np.zeros(3)), "does not fit its own configuration: more"),
        (lambda d, a: a.update({"parameters/out.W": np.zeros((2, 9), np.float32)}), "parameters/out.W.npy is"),
        (lambda d, a: a.update({"parameters/out.W": np.zeros((2, 8))}), "parameters/out.W.npy is <f8"),
    ],
)
def test_a_whole_file_with_other_contents_is_refused(saved, change, message):
    path, _ = saved
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


CONTRADICTIONS = {
    "no class": (lambda d: d.update(classes=[]), "0 classes"),
    "one class": (lambda d: d.update(classes=["a"]), "1 class"),
    "another class": (lambda d: d.update(classes=["a", "b", "c"]), "3 classes"),
    "a class twice": (lambda d: d.update(classes=["a", "a"]), "the same name"),
    "no normalization": (lambda d: d.update(normalization={"mean": [], "std": []}), "normalization"),
    "a channel too many": (lambda d: d.update(normalization={"mean": [0, 0], "std": [1, 1]}), "normalization"),
    "a deviation of 0": (lambda d: d["normalization"].update(std=[0.0]), "normalization"),
    "a deviation below 0": (lambda d: d["normalization"].update(std=[-1.0]), "normalization"),
    "a mean that is none": (lambda d: d["normalization"].update(mean=[float("nan")]), "not finite"),
    "a count for no class": (lambda d: d.update(class_counts=[1, 2, 3]), "class_counts"),
    "a count below 0": (lambda d: d.update(class_counts=[-1, 2]), "class_counts"),
    "a step below 0": (lambda d: d.update(step=-1), "step"),
    "fewer steps than epochs": (lambda d: d.update(step=0), "step"),
    "steps below 0": (lambda d: d["sums"].update(steps=-1), "sums"),
    "images below 0": (lambda d: d["sums"].update(images=-1), "sums"),
    "no images": (lambda d: d["sums"].update(images=0), "sums"),
    "more right than there are": (lambda d: d["sums"].update(correct=10**9), "sums"),
    "a loss that is none": (lambda d: d["sums"].update(loss=float("nan")), "not finite"),
    "a loss without end": (lambda d: d["history"][0].update(train_loss=float("inf")), "not finite"),
    "an epoch 2 first": (lambda d: d["history"][0].update(epoch=2), "history"),
    "an epoch twice": (lambda d: d["history"].append(d["history"][0]), "history"),
    "an accuracy above 1": (lambda d: d["history"][0].update(train_accuracy=1.5), "history"),
    "half a validation": (lambda d: d["history"][0].update(val_loss=None), "history"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_whole_file_that_contradicts_itself_is_refused(saved, what):
    path, _ = saved
    change, message = CONTRADICTIONS[what]
    rewrite(path, lambda description, arrays: change(description))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["parameters/out.W", "running_statistics/batchnorm1.running_mean"])
def test_parameters_that_are_not_finite_are_refused(saved, name, number):
    path, _ = saved
    rewrite(path, lambda description, arrays: arrays[name].put(0, number))
    with pytest.raises(CheckpointError, match=rf"1 of \d+ numbers of {name} are not finite"):
        load_checkpoint(path)


def test_a_variance_below_0_is_refused(saved):
    path, _ = saved
    rewrite(path, lambda description, arrays: arrays["running_statistics/batchnorm1.running_var"].put(0, -1))
    with pytest.raises(CheckpointError, match="variance"):
        load_checkpoint(path)


def test_a_description_that_is_no_json_is_refused(saved):
    path, _ = saved
    for text in (b"\xff", b"[" * 100_000, b"3"):
        write_archive(path, {"description": np.frombuffer(text, np.uint8)})
        with pytest.raises(CheckpointError, match="no valid description"):
            load_checkpoint(path)


def test_a_configuration_that_needs_more_than_the_file_has_takes_no_memory(saved):
    path, _ = saved
    rewrite(path, lambda d, a: d.update(config=d["config"].replace("units: 2", "units: 200000000")))
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="but its parameters and images need"):
            load_checkpoint(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20


def test_the_command_refuses_a_damaged_run_with_exit_3_and_names_the_best_checkpoint(tmp_path):
    config_file, run = write_job(tmp_path), tmp_path / "run"
    assert run_train(config_file, "train.epochs=2", "--run", run, cwd=tmp_path)[0] == 0
    last = run / "checkpoints/last.npz"
    last.write_bytes(last.read_bytes()[:-1000])
    code, out, err = run_train("--resume", run, "train.epochs=3", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert err.startswith(f"error: '{last}' is damaged, or no checkpoint")
    assert f"--resume {run}/checkpoints/best.npz goes on after epoch 2" in err
    assert run_train("--resume", run / "checkpoints/best.npz", "train.epochs=3", cwd=tmp_path)[0] == 0
    assert load_checkpoint(last).state.epoch == 3
