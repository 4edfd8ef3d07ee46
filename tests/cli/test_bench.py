import json
import subprocess
import sys

import pytest

from tests.cli.command import ROOT, cnnbp, environment

SHORT = ("--seconds", "0.1")


def test_the_document_has_a_row_for_each_layer_and_the_step_as_a_whole():
    code, stdout, stderr = cnnbp("bench", "configs/bench/lecture.yaml", "--json", "--threads", 1, *SHORT)
    assert code == 0, stderr
    document = json.loads(stdout)
    assert (document["batch"], document["micro_batch"], document["threads"]) == (32, 32, 1)
    assert (document["dtype"], document["against"]) == ("float32", None)
    assert 0 < document["step_ms"]["min"] <= document["step_ms"]["median"]
    assert document["images_per_second"] == pytest.approx(32_000 / document["step_ms"]["median"])
    assert document["peak_memory_bytes"] > 0
    convolution, relu, *_ = document["layers"]
    assert convolution["kernel"] in ("rows", "columns")
    assert convolution["gflops"] > 0
    assert (relu["name"], relu["kernel"], relu["gflops"]) == ("relu1", None, None)


def test_a_batch_of_random_numbers_is_said_to_be_one():
    code, stdout, stderr = cnnbp("bench", "configs/bench/lecture.yaml", "--batch", 3, *SHORT)
    assert code == 0, stderr
    assert "no image folder given: the batch is random numbers, seed 0" in stderr
    assert "3 images (random numbers)" in stdout


def test_with_a_folder_its_images_are_the_batch():
    code, stdout, stderr = cnnbp("bench", "configs/lecture.yaml", *SHORT)
    assert (code, stderr) == (0, "")
    assert "strokes" in stdout


def test_without_pytorch_a_comparison_says_what_to_install():
    without = "import sys; sys.modules['torch'] = None; from cnnbp.cli import main; main()"
    command = [sys.executable, "-c", without, "bench", "configs/bench/lecture.yaml", "--against", "torch"]
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (2, "")
    assert "pip install 'cnnbp[torch]'" in result.stderr
    assert "Traceback" not in result.stderr
