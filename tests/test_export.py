import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cnnbp.arrays import Array, Shape
from cnnbp.config import load_config, parse_config
from cnnbp.engine import Engine, MicroBatch
from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.export import FORMATS, export_checkpoint
from cnnbp.export.packages import needed
from cnnbp.layers import LAYERS, Add, Layer, ReLU
from cnnbp.training.checkpoint import Checkpoint
from tests.checkpoints import checkpoint_of
from tests.random_networks import ACTIVATIONS, random_network

CONFIGS = Path(__file__).parents[1] / "configs"
RANDOM = [seed for seed in range(60) if random_network(seed).x.shape[0] in (1, 3)]

CASES: dict[str, tuple[Shape, list[Any]]] = {
    "a kernel, a stride and a pad of unequal sides": (
        (3, 7, 5),
        [{"conv2d": {"filters": 4, "kernel": [3, 2], "stride": [2, 1], "pad": [1, 0]}}],
    ),
    "same padding that is odd at the bottom right": (
        (1, 7, 6),
        [{"conv2d": {"filters": 2, "kernel": 4, "stride": 2, "pad": "same"}}],
    ),
    "valid padding, dilation and groups": (
        (3, 9, 9),
        [{"conv2d": {"filters": 6, "kernel": 3, "pad": "valid", "dilation": 2, "groups": 3, "bias": False}}],
    ),
    "a max pool whose padding must lose against negative numbers": (
        (1, 6, 6),
        [{"conv2d": {"filters": 2, "kernel": 1}}, {"maxpool2d": {"kernel": 3, "stride": 2, "pad": 1}}],
    ),
    "an average pool that leaves its padding out": ((3, 5, 5), [{"avgpool2d": {"kernel": 3, "stride": 2, "pad": 1}}]),
    "an average pool that counts its padding": (
        (3, 5, 5),
        [{"avgpool2d": {"kernel": 3, "stride": 2, "pad": "same", "count_include_pad": True}}],
    ),
    "a global average pool": ((3, 5, 4), [{"conv2d": {"filters": 5, "kernel": 2}}, "global_avgpool2d"]),
    "leaky relu and elu with slopes of their own": (
        (3, 4, 4),
        [{"conv2d": {"filters": 3, "kernel": 1}}, {"leaky_relu": {"slope": 0.2}}, {"elu": {"alpha": 0.7}}],
    ),
    "gelu in its tanh form, and silu": ((3, 4, 4), [{"conv2d": {"filters": 3, "kernel": 1}}, "gelu", "silu"]),
    "batch norm by its running statistics, and dropout that is off": (
        (3, 4, 4),
        [{"batchnorm": {"eps": 1e-3}}, "dropout", "sigmoid", "tanh"],
    ),
    "batch norm over features": ((1, 3, 3), ["flatten", {"dense": {"units": 5}}, "batchnorm", "relu"]),
    "a residual block with a shortcut that changes the shape": (
        (3, 6, 6),
        [
            {
                "residual": {
                    "layers": [{"conv2d": {"filters": 4, "kernel": 3, "stride": 2, "pad": 1}}, "relu"],
                    "shortcut": [{"conv2d": {"filters": 4, "kernel": 1, "stride": 2}}],
                }
            }
        ],
    ),
    "a residual block that adds the images themselves": ((3, 4, 4), [{"residual": {"layers": ["relu"]}}]),
}


def test_a_file_asks_for_no_newer_runtime_than_its_operators_need():
    """onnxruntime 1.22 to 1.24 average the padding of opset 19's AveragePool wrongly; older ones refuse newer files."""
    import onnx

    pool = {"avgpool2d": {"kernel": 3, "stride": 2, "pad": 1}}
    layers = [pool, *ACTIVATIONS, {"maxpool2d": {"kernel": 2}}, "batchnorm", "flatten", {"dense": {"units": 2}}]
    model = onnx.load_from_string(FORMATS["onnx"](checkpoint_of((1, 8, 8), layers)))
    assert (model.opset_import[0].version, model.ir_version) == (17, 8)
    onnx.checker.check_model(model, full_check=True)


def untrained(case: str) -> Checkpoint:
    shape, layers = CASES[case]
    return checkpoint_of(shape, [*layers, "flatten", {"dense": {"units": 2}}], normalize={"mean": 0.4, "std": 0.3})


def drawn(seed: int) -> Checkpoint:
    network = random_network(seed)
    return checkpoint_of(network.x.shape[:-1], network.layers, network.loss, seed=seed)


def configured(path: Path) -> Checkpoint:
    config = load_config(path)
    counts = [1] * max(config.network.output_shape[0], 2)
    layers = yaml.safe_load(path.read_text())["layers"]
    checkpoint = checkpoint_of(config.input.shape, layers, normalize={"mean": 0.4, "std": 0.3})
    loss = config.loss.balanced(counts)
    return replace(checkpoint, config=config.model_copy(update={"loss": loss, "data": None}))


def random_bytes(checkpoint: Checkpoint, M: int) -> Array:
    return np.random.default_rng(3).integers(0, 256, (M, *checkpoint.config.network.input_shape)).astype(np.uint8)


def logits_of_cnnbp(checkpoint: Checkpoint, images: Array) -> Array:
    config, state = checkpoint.config, checkpoint.state
    batch = [MicroBatch(checkpoint.normalization.apply(images, np.float32), np.zeros(len(images), int))]
    with Engine(config.network, config.loss, threads=1) as engine:
        return engine.infer(state.parameters, state.running_statistics, batch).logits.T


def logits_of_onnxruntime(model: bytes, pixels: Array) -> Array:
    onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    [logits] = session.run(["logits"], {"pixels": pixels})
    return logits


def assert_runs_alike(checkpoint: Checkpoint, M: int = 5) -> None:
    images = random_bytes(checkpoint, M)
    expected = logits_of_cnnbp(checkpoint, images)
    found = logits_of_onnxruntime(FORMATS["onnx"](checkpoint), (images / 255).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(np.abs(expected).max(), 1))


@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_gives_the_same_logits_for(case):
    assert_runs_alike(untrained(case))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_onnxruntime_gives_the_same_logits_for_the_shipped_configuration(path):
    assert_runs_alike(configured(path))


@pytest.mark.parametrize("seed", RANDOM)
def test_onnxruntime_gives_the_same_logits_for_random_networks(seed):
    assert_runs_alike(drawn(seed))


def test_every_kind_of_layer_has_been_through_onnxruntime():
    checkpoints = [*map(untrained, CASES), *map(drawn, RANDOM)]
    seen = {type(node.layer) for checkpoint in checkpoints for node in checkpoint.config.network.nodes}
    assert seen == {*LAYERS, Add}


@pytest.mark.parametrize("M", [1, 2, 17])
def test_the_batch_size_of_a_model_is_free(M):
    assert_runs_alike(untrained("a global average pool"), M)


def test_a_model_knows_its_classes_normalisation_and_configuration():
    onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
    checkpoint = checkpoint_of((1, 2, 2), ["flatten", {"dense": {"units": 2}}], classes=["[red]", "grün"])
    model = onnx.load_from_string(FORMATS["onnx"](checkpoint))
    noted = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(noted["classes"]) == ["[red]", "grün"]
    assert json.loads(noted["mean"]) == [0.0]
    assert parse_config(noted["config"], "noted").layers == checkpoint.config.layers


def test_pixels_that_need_no_normalisation_go_straight_to_the_first_layer():
    onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
    model = onnx.load_from_string(FORMATS["onnx"](checkpoint_of((1, 2, 2), ["flatten", {"dense": {"units": 2}}])))
    assert [node.op_type for node in model.graph.node] == ["Flatten", "Gemm"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_equal_checkpoints_give_equal_bytes(format_name):
    case = "batch norm over features"
    assert FORMATS[format_name](untrained(case)) == FORMATS[format_name](untrained(case))


def test_a_layer_without_an_onnx_form_is_named(monkeypatch):
    monkeypatch.setattr(ReLU, "onnx", Layer.onnx)
    with pytest.raises(ConfigError, match='relu "relu1" has no ONNX form; --to npz'):
        FORMATS["onnx"](untrained("batch norm over features"))


def test_a_package_that_is_missing_is_named():
    with pytest.raises(ConfigError, match=r"'no_such_package', .* pip install 'cnnbp\[onnx\]'"):
        needed("no_such_package.numpy")


def stored(checkpoint: Checkpoint) -> dict[str, Array]:
    statistics = checkpoint.state.running_statistics["batchnorm1"]
    return {
        **dict(checkpoint.state.parameters.named()),
        "batchnorm1.running_mean": statistics["running_mean"].astype(np.float32),
        "batchnorm1.running_var": statistics["running_var"].astype(np.float32),
    }


def test_an_npz_holds_every_array_in_float32_and_needs_no_pickle():
    checkpoint = untrained("batch norm over features")
    with np.load(io.BytesIO(FORMATS["npz"](checkpoint)), allow_pickle=False) as arrays:
        for name, array in stored(checkpoint).items():
            assert arrays[name].dtype == np.float32
            np.testing.assert_array_equal(arrays[name], array)
        assert arrays["classes"].tolist() == ["no", "yes"]
        assert (arrays["mean"].tolist(), arrays["std"].tolist()) == ([0.4], [0.3])
        assert set(arrays.files) == {*stored(checkpoint), "classes", "mean", "std"}


def test_safetensors_hold_every_array_in_float32(tmp_path):
    safetensors = pytest.importorskip("safetensors", reason="the onnx extra is not installed")
    checkpoint = untrained("batch norm over features")
    export_checkpoint(checkpoint, "safetensors", tmp_path / "weights.safetensors")
    with safetensors.safe_open(tmp_path / "weights.safetensors", "numpy") as file:
        assert set(file.keys()) == set(stored(checkpoint))
        for name, array in stored(checkpoint).items():
            assert file.get_tensor(name).dtype == np.float32
            np.testing.assert_array_equal(file.get_tensor(name), array)
        noted = json.loads(file.metadata()["cnnbp"])
        assert json.loads(noted["std"]) == [0.3]


def test_a_file_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="exists already"):
        export_checkpoint(untrained("batch norm over features"), "npz", path)
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="cannot write"):
        export_checkpoint(untrained("batch norm over features"), "npz", tmp_path / "nowhere" / "weights.npz")
