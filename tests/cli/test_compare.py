"""`cnnbp compare` and `cnnbp gradcheck --dump` as they are run."""

import json

import numpy as np
import pytest
from rich.cells import cell_len

from tests.cli.command import ROOT, cnnbp
from tests.cli.terminal import Terminal

DIGITS = ROOT / "configs/digits.yaml"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write a reference, a copy of it as safetensors and as a folder, and one with a mistake."""
    folder = tmp_path_factory.mktemp("compare")
    for name in ("ref.npz", "mine.safetensors"):
        assert cnnbp("grads", DIGITS, "--batch", 3, "--layout", "nchw", "--save", folder / name)[0] == 0
    with np.load(folder / "ref.npz") as file:
        arrays = {name: file[name] for name in file.files if name != "description"}
    for name, array in arrays.items():
        (folder / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / "folder" / f"{name}.npy", array.astype(np.float32) if array.dtype == float else array)
    wrong = {**arrays, "grad/conv2.W": arrays["grad/conv2.W"][..., ::-1, ::-1], "grad/conv3.W": np.zeros(3)}
    np.savez(folder / "wrong.npz", **wrong)
    conv = {"x": "value/maxpool2d1", "W": "param/conv2.W", "b": "param/conv2.b", "dy": "grad/conv2", "y": "value/conv2"}
    conv |= {"dx": "grad/maxpool2d1", "dW": "grad/conv2.W", "db": "grad/conv2.b"}
    np.savez(folder / "conv.npz", **{name: wrong[long] for name, long in conv.items()})
    np.savez(folder / "other.npz", a=np.zeros(1), b=np.zeros(1))
    return folder


@pytest.mark.parametrize("mine", ["ref.npz", "mine.safetensors", "folder"])
def test_equal_tensors_exit_with_0_in_every_format(files, mine):
    exit_code, screen, errors = cnnbp("compare", "ref.npz", mine, cwd=files)
    assert (exit_code, errors) == (0, "")
    assert "EQUAL" in screen
    assert ("precision  float32: arrays are float32" in screen) == (mine == "folder")


def test_a_wrong_tensor_exits_with_1_and_is_named_with_its_hint(files):
    exit_code, screen, errors = cnnbp("compare", "ref.npz", "wrong.npz", cwd=files)
    assert (exit_code, errors) == (1, "")
    assert "DIFFERENT  grad/conv2.W is the first" in screen
    assert "grad/conv2.W: dW turned by 180°" in screen
    assert "unknown    grad/conv3.W (did you mean grad/conv2.W?)" in screen


def test_the_document_has_every_tensor_with_its_numbers(files):
    exit_code, screen, _ = cnnbp("compare", "ref.npz", "wrong.npz", "--json", cwd=files)
    found = json.loads(screen)
    assert (exit_code, found["verdict"], found["first"], found["hint"]) == (
        1,
        "fail",
        "grad/conv2.W",
        "dW turned by 180°",
    )
    assert found["unknown"] == {"grad/conv3.W": "grad/conv2.W"}
    tensor = next(tensor for tensor in found["tensors"] if tensor["name"] == "grad/conv2.W")
    assert (tensor["verdict"], tensor["size"], len(tensor["worst"]["index"])) == ("wrong", 4608, 4)
    assert found["tolerance"]["precision"] == "float64"


def test_a_dump_is_judged_by_the_same_command_as_a_layer(files):
    like = "conv2d: {filters: 32, kernel: 3, pad: same}"
    command = ("gradcheck", "--dump", "conv.npz", "--like", like, "--layout", "nchw")
    exit_code, screen, errors = cnnbp(*command, cwd=files)
    assert (exit_code, errors) == (1, "")
    assert "dW: dW turned by 180°" in screen
    found = json.loads(cnnbp(*command, "--json", cwd=files)[1])
    assert {tensor["name"]: tensor["verdict"] for tensor in found["tensors"]} == {
        "y": "equal",
        "dx": "equal",
        "dW": "wrong",
        "db": "equal",
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["compare", "wrong.npz", "ref.npz"], 3, "'wrong.npz' is no reference: it has no description"),
        (["compare", "ref.npz", "nothing.npz"], 3, "cannot read 'nothing.npz'"),
        (["compare", "ref.npz", DIGITS], 3, "it is no zip file, as an .npz is"),
        (["compare", "ref.npz", "other.npz"], 3, "nothing to compare: there is a, b; what is known is X, y, "),
        (["compare", "ref.npz"], 2, "Missing argument 'MINE'"),
        (["gradcheck", "--dump", "conv.npz"], 2, "--dump FILE and --like"),
        (["gradcheck", "--dump", "conv.npz", "--like", "relu", DIGITS], 2, "it takes no CONFIG"),
        (["gradcheck", "--dump", "conv.npz", "--like", "dense: {units: 3}"], 2, "needs a flat input"),
        (["gradcheck", DIGITS, "--layout", "nchw"], 2, "about the file that --dump names"),
        (["gradcheck", "--dump", "conv.npz", "--like", "conv2d: {kernel: 3}"], 2, 'conv2d needs "filters"'),
    ],
)
def test_what_cannot_be_done_is_one_message_with_its_exit_code(files, arguments, exit_code, said):
    found = cnnbp(*arguments, cwd=files)
    assert found[:2] == (exit_code, "")
    assert said in " ".join(found[2].split())
    assert "Traceback" not in found[2]


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal(files, width):
    with Terminal(width, "compare", files / "ref.npz", files / "wrong.npz") as terminal:
        assert terminal.finish() == 1
        assert max(map(cell_len, terminal.lines)) <= width
