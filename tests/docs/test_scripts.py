"""The scripts of a newcomer: they run without a warning, and strict type checkers have nothing to say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "scripts"

WHAT_IS_COERCED = """\
from cnnbp.config import Config, DataConfig, InputConfig, NormalizeConfig, TrainConfig
from cnnbp.layers import AvgPool2d, Conv2d, ReLU, Residual
from cnnbp.losses import CrossEntropy
from cnnbp.optimizers import SGD

config = Config(
    input=InputConfig(channels=3, height=8, width=8),
    data=DataConfig(path="x", background=0, cache="5MB", augment=["flip"], normalize=NormalizeConfig(mean=[1, 2, 3])),
    layers=["relu", ReLU(), Residual(layers=[Conv2d(filters=3, kernel=(3, 5), pad="same")]), {"dense": {"units": 2}}],
    loss=CrossEntropy(class_weights=[1.0, 2.0]),
    train=TrainConfig(optimizer=SGD(lr=1), schedule="constant"),
)
pool = AvgPool2d(kernel=2, stride=[1, 1], pad=1)
read: tuple[tuple[int, int], float, str] = (pool.kernel, config.train.optimizer.lr, config.loss.type)
"""
WRONG = 'from cnnbp.layers import Conv2d\nConv2d(filters=4, kernel="three")\nConv2d(filters=4)\n'


def strict_mypy(folder, *files):
    """Run mypy as a user's own project does, who knows none of this project's plugins and settings."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        os.devnull,
        "--cache-dir",
        str(folder),
        *files,
    ]
    result = subprocess.run(
        command, cwd=folder, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return result.stdout


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "coerced.py").write_text(WHAT_IS_COERCED)
    (folder / "wrong.py").write_text(WRONG)
    return strict_mypy(folder, "coerced.py", "wrong.py", *map(str, sorted(SCRIPTS.glob("*.py"))))


@pytest.mark.slow
def test_strict_mypy_has_nothing_to_say_of_the_scripts_and_of_what_constructors_coerce(verdict):
    complaints = [line for line in verdict.splitlines() if "error:" in line and not line.startswith("wrong.py")]
    assert complaints == []


@pytest.mark.slow
def test_strict_mypy_sees_what_no_constructor_takes(verdict):
    assert 'wrong.py:2: error: Argument "kernel" to "Conv2d" has incompatible type "str"' in verdict
    assert 'wrong.py:3: error: Missing named argument "kernel" for "Conv2d"' in verdict


@pytest.mark.slow
def test_the_scripts_run_without_a_warning(tmp_path):
    for name in ("configs", "datasets"):
        (tmp_path / name).symlink_to(ROOT / name)
    shown = {}
    for script in ("train", "load", "predict", "sweep", "own_layer"):  # load and predict use what train has written
        command = [sys.executable, "-W", "error", SCRIPTS / f"{script}.py"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, ""), script
        shown[script] = result.stdout.splitlines()
    assert shown["train"][-1].startswith("20  loss 0.0")
    assert shown["load"][0].startswith("<Run 'script', epoch 20")
    assert "ms for each" in shown["predict"][-1]
    assert len(shown["sweep"]) == 4
    assert shown["own_layer"][0] == "right: pass"
    assert shown["own_layer"][1].startswith("wrong: fail: ")
