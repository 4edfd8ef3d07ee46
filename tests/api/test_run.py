"""A run in Python says what the commands say of it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnbp
from tests.cli.command import cnnbp as command

ROOT = Path(__file__).parents[2]
STROKES = ROOT / "datasets/strokes"
FILES = sorted(STROKES.glob("*/*/*.png")) or sorted(STROKES.glob("*/*.png"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "lecture"
    config = cnnbp.load_config(ROOT / "configs/lecture.yaml", ["train.epochs=3"])
    for _ in cnnbp.train(config, run=folder, plots=False):
        pass
    return folder


@pytest.fixture(scope="module")
def run(path):
    return cnnbp.load(path)


def pixels(files):
    return np.stack([np.asarray(Image.open(file)) for file in files])  # (M, H, W)


def test_a_run_says_what_it_is(run):
    assert run.classes == ("horizontal", "vertical")
    assert [metrics.epoch for metrics in run.history] == [1, 2, 3]
    assert run.config.train.epochs == 3
    assert list(run.parameters) == ["conv1", "dense1"]
    assert repr(run).startswith("<Run 'lecture', epoch ")
    with pytest.raises(ValueError, match="read-only"):
        run.parameters["conv1"]["W"] = 0


def test_arrays_and_files_are_predicted_as_the_command_predicts_them(run, path):
    told = json.loads(command("predict", path, *FILES[:5], "--json")[1])["predictions"]
    from_files = run.predict(FILES[:5])
    assert [prediction.label for prediction in from_files] == [each["top"][0]["class"] for each in told]
    np.testing.assert_allclose(
        [prediction.probability for prediction in from_files],
        [each["top"][0]["probability"] for each in told],
        rtol=1e-6,
    )
    assert [prediction.role.name.lower() for prediction in from_files] == [each["known"] for each in told]
    as_pixels = run.predict(pixels(FILES[:5]), layout="nhw")
    as_floats = run.predict(pixels(FILES[:5]) / 255, layout="nhw")
    np.testing.assert_allclose(as_pixels.probabilities, from_files.probabilities, rtol=1e-6)
    np.testing.assert_allclose(as_floats.probabilities, from_files.probabilities, rtol=1e-5)
    assert as_pixels.labels == from_files.labels
    assert [prediction.role for prediction in as_pixels] == [prediction.role for prediction in from_files]


def test_one_file_a_folder_and_the_most_probable_classes(run):
    [only] = run.predict(str(FILES[0]), top=9)
    assert only.image == str(FILES[0])
    assert sorted(guess.name for guess in only.top) == ["horizontal", "vertical"]
    assert sum(guess.probability for guess in only.top) == pytest.approx(1)
    assert len(run.predict(FILES[0].parent)) == len(list(FILES[0].parent.glob("*.png")))


def test_files_that_cannot_be_read_are_named_or_left_out(run, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(cnnbp.DataError, match=r"1 of 2 images cannot be read[^\n]*\n.*bad\.png"):
        run.predict([FILES[0], tmp_path / "bad.png"])
    result = run.predict([FILES[0], tmp_path / "bad.png"], skip_bad=True)
    assert (len(result), [Path(bad.name).name for bad in result.bad]) == (1, ["bad.png"])
    nothing = run.predict(tmp_path / "bad.png", skip_bad=True)
    assert (len(nothing), nothing.probabilities.shape) == (0, (2, 0))


def test_evaluation_is_the_commands(run, path):
    told = json.loads(command("evaluate", path, "--json")[1])
    found = run.evaluate()
    assert (found.images, found.right, found.loss) == (told["images"], told["right"], pytest.approx(told["loss"]))
    x = np.zeros((1, 6, 6, 4), np.uint8)
    assert run.evaluate((x, [0, 0, 1, 1])).images == 4
    with pytest.raises(cnnbp.ConfigError, match="split is 'tset'; it can be test"):
        run.evaluate(split="tset")


def test_a_runs_gradient_is_that_of_its_normalised_images(run):
    x, y = pixels(FILES[:4]), [0, 1, 0, 1]
    found = run.backpropagate(x, y, layout="nhw")
    network_reads = x.transpose(1, 2, 0)[None] / 255
    expected = cnnbp.backpropagate(run.config, network_reads, y, run.parameters)
    np.testing.assert_allclose(found.gradient.vector, expected.gradient.vector, rtol=1e-12)
    assert cnnbp.grads(run, x, y, layout="nhw").record.loss == pytest.approx(found.loss)


def test_an_export_is_never_written_over_a_file(run, tmp_path):
    file = tmp_path / "net.npz"
    assert run.export("npz", file).path == file
    with pytest.raises(cnnbp.ConfigError, match="exists already: overwrite=True"):
        run.export("npz", file)
    run.export("npz", file, overwrite=True)
    with pytest.raises(cnnbp.ConfigError, match="to is 'onxx'; it can be onnx, safetensors, npz"):
        run.export("onxx")


def test_several_threads_get_the_answers_of_one(run):
    jobs = [FILES[i : i + 3] for i in range(0, 30, 3)]
    alone = [(run.predict(job).probabilities, run.predict(pixels(job), layout="nhw").probabilities) for job in jobs]

    def ask(job):
        for _ in range(5):
            run.evaluate((pixels(job), [0, 0, 0]), layout="nhw")
            answers = run.predict(job).probabilities, run.predict(pixels(job), layout="nhw").probabilities
        return answers

    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(ask, jobs), alone, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_what_is_no_run_is_an_error(tmp_path):
    with pytest.raises(cnnbp.CheckpointError, match=r"no run directory: there is no config\.yaml"):
        cnnbp.load(tmp_path)
