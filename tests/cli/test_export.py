"""`cnnbp export` as a user runs it."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import safetensors
from PIL import Image

from cnnbp.export import FORMATS, Format
from cnnbp.training.checkpoint import save_checkpoint
from tests.checkpoints import checkpoint_of
from tests.cli.command import ROOT, cnnbp
from tests.cli.runs import CLASSES, document, trained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained_run(tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize("name", list(Format))
def test_a_file_is_named_as_the_run_and_never_written_over(run, tmp_path, name):
    exit_code, screen, errors = cnnbp("export", run, "--to", name, cwd=tmp_path)
    assert exit_code == 0, errors
    file = tmp_path / f"run.{name}"
    assert f"run.{name}" in screen
    assert "best.npz" in errors
    before = file.read_bytes()
    exit_code, screen, errors = cnnbp("export", run, "--to", name, cwd=tmp_path)
    assert (exit_code, screen) == (2, "")
    assert "exists already" in errors
    assert cnnbp("export", run, "--to", name, "--force", "--json", cwd=tmp_path)[0] == 0
    assert file.read_bytes() == before


def test_every_format_has_a_writer():
    assert set(FORMATS) == set(Format)


def test_onnxruntime_takes_an_image_for_what_predict_takes_it_for(run, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    model = tmp_path / "model.onnx"
    assert document("export", run, "--to", "onnx", "-o", model)["arrays"] == 8
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    [logits] = session.run(None, {"pixels": pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255})
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    assert classes == list(CLASSES)
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    [prediction] = document("predict", run, tmp_path / "1.png", "--top", 3)["predictions"]
    for guess in prediction["top"]:
        assert guess["probability"] == pytest.approx(shares[classes.index(guess["class"])], abs=1e-5)


def test_a_package_that_is_missing_is_named_with_what_installs_it(run, tmp_path):
    code = "import sys; sys.modules['onnx'] = None; from cnnbp.cli import main; main()"
    command = [sys.executable, "-c", code, "export", run, "--to", "onnx", "-o", tmp_path / "m.onnx"]
    result = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert "pip install 'cnnbp[onnx]'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_a_usage_error(run):
    exit_code, screen, errors = cnnbp("export", run, "--to", "h5")
    assert (exit_code, screen) == (2, "")
    assert "safetensors" in errors


@pytest.mark.parametrize("name", list(Format))
def test_classes_whose_names_are_no_utf_8_keep_them(tmp_path, name):
    classes = ["日本", os.fsdecode(b"np\xff")]
    checkpoint = checkpoint_of((1, 4, 4), ["flatten", {"dense": {"units": 2}}], classes=classes)
    save_checkpoint(tmp_path / "last.npz", checkpoint)
    code, _, err = cnnbp("export", "last.npz", "--to", name, "-o", "out", cwd=tmp_path)
    assert code == 0, err
    match name:
        case Format.NPZ:
            found = np.load(tmp_path / "out", allow_pickle=False)["classes"].tolist()
        case Format.SAFETENSORS:
            with safetensors.safe_open(tmp_path / "out", "numpy") as file:
                found = json.loads(json.loads(file.metadata()["cnnbp"])["classes"])
        case Format.ONNX:
            properties = {prop.key: prop.value for prop in onnx.load(tmp_path / "out").metadata_props}
            assert "日本" in properties["classes"]
            found = json.loads(properties["classes"])
    assert found == classes
