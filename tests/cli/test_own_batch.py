"""`cnnbp grads` and `page` with images, classes, parameters and saved batches of one's own."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import ROOT, cnnbp
from tests.cli.runs import document, trained_run

LECTURE, STROKES = ROOT / "configs/lecture.yaml", ROOT / "datasets/strokes"
ONE, TWO = STROKES / "vertical/41.png", STROKES / "horizontal/36.png"


def steps(found):
    return {step["symbol"]: np.array(step["value"]) for step in found["steps"]}


def test_named_images_are_looked_at_and_their_folders_tell_their_classes():
    found = document("grads", LECTURE, ONE, TWO)
    assert {image["name"]: found["classes"][image["label"]] for image in found["images"]} == {
        str(ONE): "vertical",
        str(TWO): "horizontal",
    }
    for m, path in enumerate((ONE, TWO)):
        pixels = np.asarray(Image.open(path), float) / 255
        np.testing.assert_allclose(steps(found)["X"][0, :, :, m], pixels, atol=1e-12)


def test_an_image_whose_class_nothing_tells_gets_the_one_that_the_network_takes_it_for(tmp_path):
    (tmp_path / "mine.png").write_bytes(ONE.read_bytes())
    exit_code, screen, errors = cnnbp("grads", LECTURE, "mine.png", "--json", cwd=tmp_path)
    assert exit_code == 0
    assert "the image's class is not known" in errors
    [image] = json.loads(screen)["images"]
    assert image["label"] == image["prediction"] == 1
    for label in ("horizontal", "0"):
        [image] = document("grads", LECTURE, tmp_path / "mine.png", "--labels", label)["images"]
        assert (image["label"], image["prediction"]) == (0, 1)
    assert "1 image of mine.png" in cnnbp("grads", LECTURE, "mine.png", cwd=tmp_path)[1]


def test_a_run_looks_at_an_image_of_ones_own_with_its_classes_and_normalisation(tmp_path):
    run = trained_run(tmp_path / "here")
    Image.fromarray(np.full((6, 6, 3), 255, np.uint8)).save(tmp_path / "white.png")
    found = document("grads", run, tmp_path / "white.png", "--labels", "z", "--save", tmp_path / "b.npz")
    assert found["classes"] == ["[red]", "grün\nblau", "z"]
    with np.load(tmp_path / "b.npz") as saved:
        white = (1 - np.array([0.4, 0.5, 0.6])) / 0.25
        np.testing.assert_allclose(saved["X"][:, 0, 0, 0], white)


def test_a_saved_batch_is_looked_at_again_to_the_same_bytes(tmp_path):
    assert cnnbp("grads", LECTURE, ONE, TWO, "--save", "one.npz", cwd=tmp_path)[0] == 0
    assert cnnbp("grads", "one.npz", "--save", "two.npz", cwd=tmp_path)[0] == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert cnnbp("grads", "one.npz", "--save", "three.npz", "--layout", "nchw", cwd=tmp_path)[0] == 0
    assert document("grads", tmp_path / "three.npz") == {
        **document("grads", tmp_path / "one.npz"),
        "source": str(tmp_path / "three.npz"),
    }
    assert cnnbp("page", "one.npz", cwd=tmp_path)[0] == 0
    assert str(STROKES.parent) not in (tmp_path / "page.html").read_text("utf-8")


def test_parameters_come_from_yaml_or_from_what_was_exported_or_saved(tmp_path):
    (tmp_path / "w.yaml").write_text("conv1: {W: [[[[1, 0, -1], [0, 2, 0], [0, 0, 1]]]], b: [-1]}")
    exit_code, screen, errors = cnnbp(
        "grads", LECTURE, ONE, "--weights", "w.yaml", "--json", "--save", "b.npz", cwd=tmp_path
    )
    assert exit_code == 0
    assert "w.yaml has no dense1.W, dense1.b: as before" in errors
    found = steps(json.loads(screen))
    X = found["X"][0, :, :, 0]
    np.testing.assert_allclose(found["Z1"][0, 1, 2, 0], X[1, 2] - X[1, 4] + 2 * X[2, 3] + X[3, 4] - 1)
    again = document("grads", LECTURE, ONE, "--weights", tmp_path / "b.npz")
    np.testing.assert_array_equal(steps(again)["Z1"], found["Z1"])


def test_images_and_weights_have_seeds_of_their_own(tmp_path):
    both, images, weights = (
        {**dict(np.load(tmp_path / name))}
        for name in (saved(tmp_path, 1, 1), saved(tmp_path, 0, 1), saved(tmp_path, 1, 0))
    )
    np.testing.assert_array_equal(both["X"], images["X"])
    np.testing.assert_array_equal(both["param/conv1.W"], weights["param/conv1.W"])
    assert not np.array_equal(both["X"], weights["X"])
    assert not np.array_equal(both["param/conv1.W"], images["param/conv1.W"])


def saved(folder, seed, image_seed):
    name = f"{seed}-{image_seed}.npz"
    assert cnnbp("grads", LECTURE, "--seed", seed, "--image-seed", image_seed, "--save", name, cwd=folder)[0] == 0
    return name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "cannot read 'nowhere.png': No such file or directory"),
        ([ONE, "--labels", "diagonal"], "no class 'diagonal'"),
        ([ONE, TWO, "--labels", "0,1,1"], "--labels has 3 classes for 2 images"),
        ([ONE, "--batch", "3"], "the images are named"),
        (["--weights", LECTURE], "this should be"),
    ],
)
def test_a_mistake_is_told(arguments, message):
    exit_code, screen, errors = cnnbp("grads", LECTURE, *arguments)
    assert (exit_code > 0, screen) == (True, "")
    assert message in errors
