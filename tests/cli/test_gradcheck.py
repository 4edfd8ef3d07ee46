"""`cnnbp gradcheck`, as a user runs it."""

import json

import pytest

from cnnbp.training.checkpoint import save_checkpoint
from tests.checkpoints import undecidable_checkpoint
from tests.cli.command import cnnbp

LECTURE, DIGITS = "configs/lecture.yaml", "configs/digits.yaml"


def document(*arguments):
    code, out, err = cnnbp("gradcheck", *arguments, "--json")
    return code, json.loads(out), err


def checked(found):
    return {tensor["name"]: tensor["checked"] for tensor in found["tensors"]}


def test_without_images_the_batch_is_random_and_that_is_said():
    code, found, err = document("configs/lenet.yaml", "--entries", 3)
    assert (code, found["verdict"], found["blame"], found["problems"]) == (0, "pass", [], [])
    assert "no image folder given: the batch is random numbers, seed 0" in err


@pytest.mark.slow
def test_by_default_large_tensors_are_sampled_and_full_checks_every_entry():
    sampled, full = checked(document(DIGITS, "--entries", 20)[1]), checked(document(DIGITS, "--full")[1])
    assert sampled["conv2.W"] == 20
    assert full == {
        **{"conv1.W": 144, "conv1.b": 16, "conv2.W": 4608, "conv2.b": 32},
        **{"dense1.W": 5120, "dense1.b": 10, "X": 192},
    }


def test_one_tensor_is_checked_with_its_layer():
    code, found, _ = document(DIGITS, "--tensor", "conv2.W", "--entries", 9)
    assert (code, checked(found)) == (0, {"conv2.W": 9})
    assert [layer["name"] for layer in found["layers"]] == ["conv2", "loss"]


def test_a_tensor_that_does_not_exist_ends_with_2():
    code, out, err = cnnbp("gradcheck", LECTURE, "--tensor", "conv1.w")
    assert (code, out) == (2, "")
    assert 'did you mean "conv1.W"?' in err


def test_fewer_than_three_images_are_refused():
    code, _, err = cnnbp("gradcheck", LECTURE, "--batch", 2)
    assert code == 2
    assert "greater than or equal to 3" in err


def test_real_images_of_a_folder_are_checked():
    code, found, err = document("configs/lenet.yaml", "datasets/digits", "--batch", 4, "--entries", 20)
    assert (code, found["verdict"], err) == (0, "pass", "")
    [images] = [tensor for tensor in found["tensors"] if tensor["name"] == "X"]
    assert images["shape"] == [1, 28, 28, 4]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    code, _, err = cnnbp("train", DIGITS, "train.epochs=2", "--run", folder, "--no-plots", "-q")
    assert code == 0, err
    return folder


def test_a_trained_run_and_a_checkpoint_of_it_are_checked_on_its_images(run):
    for subject in (run, run / "checkpoints" / "best.npz"):
        code, found, err = document(subject)
        assert (code, found["verdict"], err) == (0, "pass", "")


@pytest.fixture
def undecidable(tmp_path):
    save_checkpoint(tmp_path / "saturated.npz", undecidable_checkpoint())
    return tmp_path / "saturated.npz"


def test_a_run_whose_gradients_are_all_rounding_ends_with_4_and_neither_passes_nor_fails(undecidable):
    code, found, _ = document(undecidable)
    assert (code, found["verdict"], found["blame"]) == (4, "inconclusive", [])
    verdicts = {tensor["name"]: tensor["verdict"] for tensor in found["tensors"]}
    assert verdicts["dense1.W"] == "inconclusive"
    assert verdicts["dense2.W"] == "pass"


@pytest.mark.parametrize("columns", [80, 140])
def test_an_inconclusive_check_says_why_and_what_to_do_and_fits(undecidable, columns):
    code, out, _ = cnnbp("gradcheck", undecidable, COLUMNS=str(columns))
    assert code == 4
    assert max(map(len, out.splitlines())) <= columns
    said = " ".join(out.split())
    assert "INCONCLUSIVE 812 entries" in said
    assert "rounding hides it from every step" in said
    assert "Other images or weights may show it (--seed, --batch)" in said


def test_the_float32_pass_is_held_against_float64():
    _, found, _ = document(LECTURE)
    assert found["float32"]["verdict"] == "pass"
    assert [tensor["name"] for tensor in found["float32"]["tensors"]] == list(checked(found))
    assert all(tensor["units"] < 100 for tensor in found["float32"]["tensors"])
    _, out, _ = cnnbp("gradcheck", LECTURE)
    assert "roundings of float64" in out


def test_the_network_is_checked_once_more_with_its_biases_moved():
    _, found, _ = document(LECTURE)
    assert [tensor["name"] for tensor in found["jittered"]] == list(checked(found))
    assert {tensor["verdict"] for tensor in found["jittered"]} == {"pass"}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_prints_on_any_terminal(encoding):
    code, out, err = cnnbp("gradcheck", LECTURE, PYTHONIOENCODING=encoding)
    assert (code, "Traceback" in err) == (0, False)
    assert "PASS" in out
