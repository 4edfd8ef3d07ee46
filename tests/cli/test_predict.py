"""`cnnbp predict` as a user runs it."""

import json
import os
import subprocess

import pytest

from cnnbp.training.checkpoint import save_checkpoint
from tests.checkpoints import checkpoint_of
from tests.cli.command import COMMAND, cnnbp, environment, warm
from tests.cli.runs import CLASSES, document, picture, trained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained_run(tmp_path_factory.mktemp("predict"))


def with_stdin(text, *arguments, cwd):
    command = [*warm(), "predict", *map(str, arguments)]
    result = subprocess.run(command, input=text, cwd=cwd, env=environment(), capture_output=True, timeout=120)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def test_each_image_has_its_classes_by_probability(run, tmp_path):
    image = picture(tmp_path / "1.png", 2, 0)
    found = document("predict", run, image, "--top", 9)
    assert found["classes"] == list(CLASSES)
    [prediction] = found["predictions"]
    probabilities = [guess["probability"] for guess in prediction["top"]]
    assert prediction["image"] == str(image)
    assert {guess["class"] for guess in prediction["top"]} == set(CLASSES)
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    assert len(document("predict", run, image)["predictions"][0]["top"]) == 1


def test_an_image_is_taken_for_the_same_in_any_company(run, tmp_path):
    images = [picture(tmp_path / f"{index}.png", index % 3, index) for index in range(20)]  # more than a batch
    together = document("predict", run, tmp_path, "--top", 3)["predictions"]
    assert len(together) == 20
    alone = document("predict", run, images[7], "--top", 3)["predictions"][0]
    again = next(prediction for prediction in together if prediction["image"] == str(images[7]))
    for one, other in zip(alone["top"], again["top"], strict=True):
        assert one["class"] == other["class"]
        assert one["probability"] == pytest.approx(other["probability"], rel=1e-5)


@pytest.mark.parametrize(
    "text",
    [b"1.png\r\n2.png\r\n", b"\xef\xbb\xbf1.png\n2.png", "1.png\r\n2.png\r\n".encode("utf-16")],
    ids=["CRLF", "BOM", "UTF-16"],
)
def test_a_list_may_be_written_as_on_windows(run, tmp_path, text):
    for name in ("1.png", "2.png"):
        picture(tmp_path / name, 0, 0)
    exit_code, screen, errors = with_stdin(text, run, "-", cwd=tmp_path)
    assert exit_code == 0, errors
    assert "1.png" in screen
    assert "2.png" in screen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the list on stdin has no names"),
        (b"\xff\xfea\0b", "the list on stdin begins as UTF-16 and is none"),
        (bytes(65 << 20), "the list on stdin is longer than 64 MiB"),
        (b"\r\n\n", "no names"),
        (b"\x89PNG\r\n\x1a\n\0", "stdin is an image, not a"),
    ],
)
def test_a_list_without_names_and_an_image_in_its_place_are_exit_3(run, tmp_path, text, message):
    exit_code, _, errors = with_stdin(text, run, "-", cwd=tmp_path)
    assert exit_code == 3
    assert message in errors


def test_the_limit_of_pixels_is_set_on_the_command_line_too(run, tmp_path):
    image = picture(tmp_path / "z/1.png", 2, 5)  # 10×7
    for verb, path in (("predict", image), ("evaluate", tmp_path), ("grads", tmp_path)):
        exit_code, _, errors = cnnbp(verb, run, path, "--max-pixels", 69)
        assert (exit_code, "10×7 is 0.0 million pixels" in errors or "none of the 1" in errors) == (3, True)
        assert cnnbp(verb, run, path, "--max-pixels", 70)[0] == 0


def test_images_that_trained_the_run_are_told(run, tmp_path):
    exit_code, _, errors = cnnbp("predict", run, run.parent / "images", picture(tmp_path / "new.png", 0, 99))
    assert exit_code == 0
    assert "15 of 19 images trained the run, so it may know them by heart, such as '" in errors
    known = [image["known"] for image in document("predict", run, run.parent / "images", tmp_path)["predictions"]]
    assert [known.count(role) for role in ("train", "val", "test", "new")] == [15, 3, 0, 1]


def test_a_folder_is_searched_and_what_is_no_image_counted(run, tmp_path):
    picture(tmp_path / "b" / "2.png", 0, 0)
    picture(tmp_path / "1.png", 0, 0)
    (tmp_path / "notes.txt").write_text("no image")
    exit_code, screen, errors = cnnbp("predict", run, tmp_path)
    assert exit_code == 0
    assert screen.index("1.png") < screen.index("2.png")
    assert "skipped 1 files of other types" in errors
    assert "best.npz, after epoch" in errors


def test_what_cannot_be_read_is_named_and_does_not_stop_the_rest(run, tmp_path):
    good = picture(tmp_path / "good.png", 0, 0)
    (tmp_path / "bad.png").write_text("no image")
    (tmp_path / "empty").mkdir()
    exit_code, screen, errors = cnnbp("predict", run, "missing", "bad.png", "empty", good, "-q", cwd=tmp_path)
    assert exit_code == 3
    assert str(good) in screen
    assert [line.split(": ")[1] for line in errors.splitlines()] == [
        "cannot read 'missing'", "cannot read 'empty'", "cannot read 'bad.png'"
    ]  # fmt: skip


def test_a_name_that_no_file_can_have_is_one_that_cannot_be_read(run, tmp_path):
    name = "long" * 100
    exit_code, screen, errors = with_stdin(f"{name}\n".encode(), run, "-", "-q", cwd=tmp_path)
    assert (exit_code, screen) == (3, "")
    assert errors == f"error: cannot read {name!r}: File name too long\n"
    exit_code, _, errors = cnnbp("predict", name, "x.png", cwd=tmp_path)
    assert exit_code == 3
    assert "Traceback" not in errors


def test_json_names_what_cannot_be_read_too(run, tmp_path):
    exit_code, screen, _ = cnnbp("predict", run, "missing", "--json", cwd=tmp_path)
    assert exit_code == 3
    found = json.loads(screen)
    assert found["predictions"] == []
    assert found["unreadable"] == [{"image": "missing", "reason": "No such file or directory"}]


@pytest.mark.parametrize("name", ["with space.png", "grün.png", "[red].png", os.fsdecode(b"\xff.png")])
def test_a_list_on_stdin_has_a_name_on_each_line(run, tmp_path, name):
    picture(tmp_path / name, 0, 0)
    exit_code, screen, errors = with_stdin(os.fsencode(f"{name}\n\n"), run, "-", "--json", cwd=tmp_path)
    assert exit_code == 0, errors
    assert json.loads(screen)["predictions"][0]["image"] == name


def test_names_with_newlines_are_listed_with_a_nul_behind_each(run, tmp_path):
    picture(tmp_path / "a\nb.png", 0, 0)
    picture(tmp_path / "c.png", 0, 0)
    exit_code, screen, errors = with_stdin(b"a\nb.png\0c.png\0", run, "-", cwd=tmp_path)
    assert exit_code == 0, errors
    assert r"a\nb.png" in screen
    assert "c.png" in screen


def test_a_reader_that_leaves_ends_the_command_quietly(run, tmp_path):
    picture(tmp_path / "1.png", 0, 0)
    command = [*COMMAND, "predict", str(run), str(tmp_path), "-q"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) < 0


def test_a_pipe_in_place_of_an_image_is_refused_rather_than_waited_for(run, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    exit_code, _, errors = cnnbp("predict", run, tmp_path / "pipe.png")
    assert exit_code == 3
    assert "neither a file nor a folder" in errors


def test_outputs_far_below_0_have_probabilities_and_those_without_number_are_an_error(tmp_path):
    images = picture(tmp_path / "image.png", 1, 0)
    layers = ["flatten", {"dense": {"name": "out", "units": 2}}]
    sound = checkpoint_of((3, 6, 6), layers, "mean_squared_error")
    sound.state.parameters["out"]["b"][:] = -1e30
    save_checkpoint(tmp_path / "far.npz", sound)
    code, out, err = cnnbp("predict", tmp_path / "far.npz", images, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["predictions"][0]["top"][0]["probability"] == 0.5
    sound.state.parameters["out"]["W"][:] = 3e38
    save_checkpoint(tmp_path / "beyond.npz", sound)
    code, _, err = cnnbp("predict", tmp_path / "beyond.npz", images)
    assert code == 1
    assert "error: the outputs for 1 of 1 images are not finite" in err
    assert "Warning" not in err
