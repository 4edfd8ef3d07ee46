"""Training from Python gives what the command gives, and on arrays what a folder of the same images gives."""

from pathlib import Path

import numpy as np
import pytest

import cnnbp
from cnnbp.training.checkpoint import load_checkpoint
from tests.cli.command import cnnbp as command
from tests.data.images import save

ROOT = Path(__file__).parents[2]
LECTURE = ROOT / "configs/lecture.yaml"
SHORT = ["train.epochs=2"]


@pytest.fixture(scope="module")
def config():
    return cnnbp.load_config(LECTURE, SHORT)


def test_each_epoch_is_a_copy_that_can_be_used(config):
    first, second = cnnbp.train(config, threads=1)
    assert (first.metrics.epoch, second.metrics.epoch) == (1, 2)
    assert first.parameters != second.parameters
    assert second.run.classes == ("horizontal", "vertical")
    assert second.running_statistics == {}
    assert repr(second).startswith("<Epoch 2: train loss 0.")


def test_a_run_is_written_as_the_command_writes_it(config, tmp_path):
    list(cnnbp.train(config, run=tmp_path / "python"))
    assert command("train", LECTURE, *SHORT, "--run", tmp_path / "command")[0] == 0
    written, expected = (
        {str(f.relative_to(run)): f for run in [tmp_path / name] for f in run.rglob("*") if f.is_file()}
        for name in ("python", "command")
    )
    assert written.keys() == expected.keys()
    timed = {"environment.json", "metrics.csv", "metrics.jsonl", "summary.json"}
    differing = {name for name, file in written.items() if file.read_bytes() != expected[name].read_bytes()}
    assert differing <= timed


def test_who_stops_early_leaves_a_run_to_be_resumed(config, tmp_path):
    epochs = cnnbp.train(config, run=tmp_path / "run")
    next(epochs)
    epochs.close()
    assert '"status": "interrupted"' in (tmp_path / "run/summary.json").read_text()
    assert command("train", "--resume", tmp_path / "run", "--no-plots")[0] == 0
    whole = list(cnnbp.train(config))[-1].parameters
    assert load_checkpoint(tmp_path / "run/checkpoints/last.npz").state.parameters == whole


def test_a_run_directory_that_is_there_is_refused_at_once(config, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(cnnbp.ConfigError, match="is there already"):
        cnnbp.train(config, run=tmp_path)


@pytest.fixture(scope="module")
def arrays():
    """Some noise with a bright bar, (M, H, W), and whether it stands upright."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 99, (40, 6, 6), dtype=np.uint8), np.arange(40) // 20
    for image, upright, place in zip(x, y, rng.integers(0, 6, 40), strict=True):
        (image.T if upright else image)[place] = 255
    return x, y


@pytest.mark.parametrize("normalize", ["auto", "{mean: 0.4, std: 0.3}"])
def test_arrays_of_pixels_train_as_a_folder_of_the_same_images(arrays, normalize, tmp_path):
    x, y = arrays
    for number, (image, label) in enumerate(zip(x, y, strict=True)):
        save(tmp_path / "images" / "ab"[label] / f"{number:02}.png", image)
    config = cnnbp.load_config(LECTURE, [*SHORT, f"data.path={tmp_path / 'images'}", f"data.normalize={normalize}"])
    from_folder = list(cnnbp.train(config))[-1]
    from_arrays = list(cnnbp.train(config, x, y, layout="nhw", classes=("a", "b")))[-1]
    assert from_arrays.metrics == from_folder.metrics
    assert from_arrays.parameters == from_folder.parameters
    from_floats = list(cnnbp.train(config, x / 255, y, layout="nhw"))[-1]
    np.testing.assert_allclose(from_floats.parameters.vector, from_folder.parameters.vector, atol=1e-4)


def test_a_run_on_arrays_can_be_loaded_and_used(config, arrays, tmp_path):
    x, y = arrays
    *_, last = cnnbp.train(config, x / 255, y, layout="nhw", run=tmp_path / "run", plots=False, validation=0.5)
    run = cnnbp.load(tmp_path / "run")
    assert run.classes == ("class 0", "class 1")
    assert run.config.data.path is None
    np.testing.assert_array_equal(run.predict(x, layout="nhw").probabilities.shape, (2, 40))
    assert run.evaluate((x, y), layout="nhw").images == 40
    assert len(last.run.checkpoint.known) == 40
    assert (tmp_path / "run/split.csv").read_text().count(",val\n") == 20


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"y": [0] * 39}, cnnbp.DataError, "40 images, but 39 labels"),
        ({"y": [2] * 40}, cnnbp.DataError, r"y\[0\] is 2"),
        ({"y": None}, cnnbp.ConfigError, "y is missing"),
        ({"classes": ["a"]}, cnnbp.ConfigError, "at least 2 class"),
        ({"classes": ["a", "a"]}, cnnbp.ConfigError, "two classes have the same name"),
        ({"validation": 1.0}, cnnbp.ConfigError, "validation is 1.0"),
        ({"validation": (np.ones((1, 5, 5)), [0])}, cnnbp.ShapeError, "validation x is 1×5×5"),
        ({"x": None, "y": None, "validation": 0.5}, cnnbp.ConfigError, "validation and classes are about arrays"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused_before_the_first_epoch(config, arrays, options, error, message):
    given = {"x": arrays[0], "y": arrays[1], "layout": "nhw", **options}
    with pytest.raises(error, match=message):
        cnnbp.train(config, **given)


def test_floats_are_not_augmented(arrays):
    config = cnnbp.load_config(LECTURE, ["data.augment=[{shift: 1}]"])
    with pytest.raises(cnnbp.DataError, match=r"data.augment changes pixels: x is to be uint8"):
        cnnbp.train(config, arrays[0] / 255, arrays[1], layout="nhw")
