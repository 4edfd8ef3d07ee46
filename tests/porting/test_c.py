"""A network in C: what it computes is right, and each of three planted mistakes is found in it, by both commands."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import cnnbp

HERE = Path(__file__).parent / "c"
COMPILER = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
LAYERS = {"conv2": "conv2d: {filters: 6, kernel: 3, pad: same}", "pool": "maxpool2d: {kernel: 3, stride: 2}"}

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


@dataclass(frozen=True)
class Program:
    """The compiled network, and a reference for it, packed and unpacked."""

    file: Path
    folder: Path

    def run(self, mistake):
        folder = self.folder / f"{self.file.name}-{mistake}"
        command = [self.file, self.folder / "ref", folder / "out", folder / "dumps", str(mistake)]
        subprocess.run(command, check=True, timeout=60)
        return folder


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    command = ["grads", HERE / "convnet.yaml", "--batch", 6, "--layout", "nchw", "--save", folder / "ref.npz"]
    assert cnnbp(*command)[0] == 0
    subprocess.run([sys.executable, "-m", "zipfile", "-e", folder / "ref.npz", folder / "ref"], check=True)
    for real in ("float", "double"):
        options = [f"-DREAL={real}", "-O1", "-std=c99", "-D_POSIX_C_SOURCE=200809L"]
        subprocess.run([COMPILER, *options, HERE / "convnet.c", "-o", folder / real, "-lm"], check=True, timeout=60)
    return folder


@pytest.fixture(scope="module", params=["float", "double"])
def program(request, compiled):
    return Program(compiled / request.param, compiled)


def compared(program, folder):
    return cnnbp("compare", program.folder / "ref.npz", folder / "out")


def judged(folder, layer):
    return cnnbp("gradcheck", "--dump", folder / "dumps" / layer, "--like", LAYERS[layer], "--layout", "nchw")


def test_without_a_mistake_all_is_equal(program):
    folder = program.run(0)
    exit_code, screen, errors = compared(program, folder)
    assert (exit_code, errors) == (0, "")
    assert "compared   22 of 30 tensors" in screen
    assert "EQUAL" in screen
    assert f"{'float32' if program.file.name == 'float' else 'float64'}: arrays are float" in screen
    for layer in LAYERS:
        exit_code, screen, _ = judged(folder, layer)
        assert (exit_code, "EQUAL" in screen) == (0, True)


@pytest.mark.parametrize(
    ("mistake", "first", "layer", "gradient", "said"),
    [
        (
            1,
            "grad/conv2.W",
            "conv2",
            "dW",
            "1/6 (M) of what it should be: a mean over the images",
        ),
        (2, "grad/relu1", "conv2", "dx", "dX with the kernel as it is, not turned by 180°"),
        (3, "grad/relu2", "pool", "dx", "where windows overlap one's share overwrites another's: they must add up"),
    ],
)
def test_a_planted_mistake_is_found_and_said(program, mistake, first, layer, gradient, said):
    folder = program.run(mistake)
    exit_code, screen, errors = compared(program, folder)
    assert (exit_code, errors) == (1, "")
    assert f"DIFFERENT  {first} is the first" in screen
    assert f"{first}: {said}" in screen
    exit_code, screen, errors = judged(folder, layer)
    assert (exit_code, errors) == (1, "")
    assert f"DIFFERENT  {gradient} is the first" in screen
    assert f"{gradient}: {said}" in screen
