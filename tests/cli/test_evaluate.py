"""`cnnbp evaluate` as a user runs it."""

import csv
import json
import shutil
from math import log

import pytest

from cnnbp.files import name_in
from tests.cli.command import cnnbp
from tests.cli.runs import CLASSES, CONFIG, document, image_folder, picture, trained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained_run(tmp_path_factory.mktemp("evaluate"), "train", "test")


def summary(run):
    return json.loads((run / "summary.json").read_text())["evaluation"]


def test_the_test_split_comes_to_what_training_said_of_it(run):
    found = document("evaluate", run)
    assert (found["split"], found["images"]) == ("test", 18)
    assert (found["loss"], found["accuracy"]) == (summary(run)["loss"], summary(run)["accuracy"])
    assert found["checkpoint"] == str(run / "checkpoints/best.npz")


def test_every_number_follows_from_what_predict_says_of_the_single_images(run):
    found = document("evaluate", run, "--worst", 100)
    files = [str(run.parent / "images" / image["image"]) for image in found["worst"]]
    predictions = document("predict", run, *files, "--top", 3)["predictions"]
    counts = {(true, taken): 0 for true in CLASSES for taken in CLASSES}
    losses = []
    for image, prediction in zip(found["worst"], predictions, strict=True):
        probabilities = {guess["class"]: guess["probability"] for guess in prediction["top"]}
        counts[image["class"], prediction["top"][0]["class"]] += 1
        losses.append(-log(probabilities[image["class"]]))
        assert image["loss"] == pytest.approx(losses[-1], rel=1e-5)
        assert image["class_probability"] == pytest.approx(probabilities[image["class"]], rel=1e-5)
    assert losses == sorted(losses, reverse=True)
    assert found["loss"] == pytest.approx(sum(losses) / 18, rel=1e-5)
    assert found["confusion"] == [[counts[true, taken] for taken in CLASSES] for true in CLASSES]
    assert found["accuracy"] == sum(counts[name, name] for name in CLASSES) / 18


def test_without_a_test_split_the_images_that_were_held_out_are_evaluated(tmp_path):
    run = trained_run(tmp_path / "flat")
    found = document("evaluate", run)
    assert (found["split"], found["images"]) == ("val", 3)
    assert found["loss"] == summary(run)["loss"]
    with (run / "split.csv").open(newline="") as file:
        held_out = {name_in(row["file"]) for row in csv.DictReader(file) if row["split"] == "val"}
    assert {image["image"] for image in found["worst"]} == held_out
    assert document("evaluate", run, "--split", "train")["images"] == 15


def test_where_nothing_was_held_out_the_training_images_are_evaluated(tmp_path):
    image_folder(tmp_path / "images", each=1)
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert cnnbp("train", "c.yaml", "--run", "run", "--no-plots", cwd=tmp_path)[0] == 0
    found = document("evaluate", tmp_path / "run")
    assert (found["split"], found["images"]) == ("train", 3)


def test_another_folder_may_be_flat_or_in_splits_and_lack_classes(run, tmp_path):
    picture(tmp_path / "flat" / "z" / "1.png", 2, 0)
    found = document("evaluate", run, tmp_path / "flat")
    assert (found["split"], found["images"], found["source"]) == ("all", 1, str(tmp_path / "flat"))
    assert found["per_class"][0] == {
        "name": "[red]", "images": 0, "predicted": found["confusion"][2][0], "right": 0,
        "precision": 0.0 if found["confusion"][2][0] else None, "recall": None,
        "f1": 0.0 if found["confusion"][2][0] else None,
    }  # fmt: skip
    image_folder(tmp_path / "split", "val", each=2)
    assert document("evaluate", run, tmp_path / "split")["split"] == "val"


def test_the_runs_own_folder_by_another_name_keeps_its_training_images_apart(tmp_path):
    run = trained_run(tmp_path / "flat")
    (tmp_path / "link").symlink_to(tmp_path / "flat/images")
    assert document("evaluate", run, tmp_path / "link")["images"] == 3


def test_a_class_that_the_run_does_not_know_is_an_error(run, tmp_path):
    picture(tmp_path / "violet" / "1.png", 0, 0)
    exit_code, screen, errors = cnnbp("evaluate", run, tmp_path)
    assert (exit_code, screen) == (3, "")
    assert "classes that training does not know" in errors
    assert "violet" in errors


def test_a_checkpoint_file_alone_needs_a_folder(run, tmp_path):
    alone = shutil.copy(run / "checkpoints/last.npz", tmp_path / "mine.npz")
    exit_code, _, errors = cnnbp("evaluate", alone)
    assert exit_code == 2
    assert "no image folder" in errors
    assert document("evaluate", alone, run.parent / "images")["images"] == 18
    assert document("evaluate", run / "checkpoints/last.npz")["images"] == 18


def test_images_that_trained_are_left_out_and_where_there_are_no_others_it_is_said(run, tmp_path):
    shutil.copytree(run.parent / "images/train/z", tmp_path / "z")
    exit_code, screen, _ = cnnbp("evaluate", run, tmp_path, "--split", "train")
    assert exit_code == 0
    assert "5 train images of" in screen
    assert "they trained the run: this is how well it learned them, not how good it is" in screen
    for index in range(4):
        picture(tmp_path / "z" / f"other {index}.png", 2, 1000 + index)
    exit_code, screen, _ = cnnbp("evaluate", run, tmp_path)
    assert "5 images of" in screen
    assert "5 images that trained the run are left out" in screen


def test_an_unreadable_image_is_an_error_unless_it_is_skipped(run, tmp_path):
    for index in range(6):
        picture(tmp_path / CLASSES[index % 3] / f"{index}.png", index % 3, 1000 + index)
    (tmp_path / "z" / "bad.png").write_text("no image")
    exit_code, screen, errors = cnnbp("evaluate", run, tmp_path)
    assert (exit_code, screen) == (3, "")
    assert "z/bad.png" in errors
    exit_code, screen, errors = cnnbp("evaluate", run, tmp_path, "--skip-bad")
    assert exit_code == 0
    assert "6 images of" in screen
    assert "skipped 'z/bad.png': its content is not PNG" in errors
    assert "skipped 1 images that cannot be read" in errors


def test_hostile_class_names_are_shown_and_do_not_act(run):
    exit_code, screen, _ = cnnbp("evaluate", run)
    assert exit_code == 0
    assert "[red]" in screen
    assert r"grün\nblau" in screen
    assert "checkpoint " in screen.splitlines()[0]


def test_an_ascii_terminal_is_no_reason_to_fail(run):
    exit_code, screen, _ = cnnbp("evaluate", run, PYTHONIOENCODING="ascii")
    assert exit_code == 0
    assert screen.isascii()


@pytest.mark.parametrize("subject", ["nowhere", "."])
def test_what_is_no_run_is_an_error(tmp_path, subject):
    exit_code, screen, errors = cnnbp("evaluate", subject, cwd=tmp_path)
    assert (exit_code, screen) == (3, "")
    assert errors.startswith("error: ")
    assert "Traceback" not in errors


def test_a_split_that_is_not_there_is_named_with_those_that_are(run, tmp_path):
    image_folder(tmp_path, each=1)
    exit_code, _, errors = cnnbp("evaluate", run, tmp_path, "--split", "test")
    assert exit_code == 2
    assert "no test split; there is train" in errors


def test_several_runs_are_put_side_by_side_on_the_same_images(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    last = other / "checkpoints/last.npz"
    found = document("evaluate", run, other, last)
    alone = [document("evaluate", path) for path in (run, other, last)]
    assert found["runs"] == alone
    assert (found["same_images"], found["common_images"]) == (True, 18)
    assert [beside["is_best"] for beside in found["beside_best"]].count(True) == 1
    code, screen, errors = cnnbp("evaluate", run, other, "-q", COLUMNS="200")
    assert (code, errors) == (0, "")
    lines = [line.split() for line in screen.splitlines() if str(tmp_path.parent)[:8] in line]
    assert [line[1:3] for line in lines] == [["test", "18"]] * 2
    assert lines[0][-1] == "best"
    assert lines[1][-6:] == ["not", "told", "apart", "from", "the", "best"]
    assert "0 : 0" in screen


def test_runs_on_other_images_are_said_to_be_until_one_folder_is_given(run, tmp_path):
    other = trained_run(tmp_path / "flat")
    _, screen, _ = cnnbp("evaluate", run, other, COLUMNS="200")
    assert "Not on the same images: 0 are common to all." in screen
    assert "other images" in screen
    folder = image_folder(tmp_path / "unseen" / "images", each=4)
    found = document("evaluate", run, other, folder)
    assert found["same_images"]


def test_runs_come_before_the_one_folder(run, tmp_path):
    for paths in ([run, tmp_path, run], [run, tmp_path, tmp_path / "b"]):
        code, screen, errors = cnnbp("evaluate", *paths)
        assert (code, screen) == (2, "")
        assert "runs come first, then one image folder at most" in errors
