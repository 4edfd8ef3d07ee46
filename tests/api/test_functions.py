from pathlib import Path

import numpy as np
import pytest

import cnnbp

ROOT = Path(__file__).parents[2]
LECTURE = ROOT / "configs/lecture.yaml"
X, Y = np.random.default_rng(0).random((1, 6, 6, 4)), np.array([0, 1, 0, 1])


@pytest.fixture(scope="module")
def config():
    return cnnbp.load_config(LECTURE)


def test_backpropagation_is_the_chain_rule(config):
    batch = cnnbp.backpropagate(config, X, Y)
    dz2, f = batch.value_gradients["dense1"], batch.values["flatten1"]
    np.testing.assert_allclose(batch.gradient["dense1"]["W"], dz2 @ f.T)
    assert batch.loss == pytest.approx(batch.losses.mean())
    assert batch.value_gradients["input"].shape == X.shape
    assert repr(batch).startswith("<Backpropagation loss 0.")
    with pytest.raises(KeyError, match=r'no layer .conv9.: did you mean "conv1"'):
        _ = batch.values["conv9"]


@pytest.mark.parametrize(("layout", "axes"), [("nchw", (3, 0, 1, 2)), ("nhwc", (3, 1, 2, 0))])
def test_a_batch_in_another_layout_is_the_same_batch(config, layout, axes):
    same = cnnbp.backpropagate(config, X.transpose(axes), Y, layout=layout)
    assert same.gradient == cnnbp.backpropagate(config, X, Y).gradient


def test_pixels_are_refused_where_nothing_would_normalise_them(config):
    with pytest.raises(cnnbp.DataError, match="x is uint8, pixels from 0 to 255: give floats"):
        cnnbp.backpropagate(config, np.ones((1, 6, 6, 4), np.uint8), Y)


@pytest.mark.parametrize("arrays", [{"x": X}, {"y": Y}])
def test_images_and_classes_go_together(config, arrays):
    with pytest.raises(cnnbp.ConfigError, match=r"x and their classes y go together: [xy] is missing"):
        cnnbp.check_gradients(config, **arrays)
    with pytest.raises(cnnbp.ConfigError, match=r"[xy] is missing"):
        cnnbp.grads(config, **arrays)


def test_gradients_are_checked_at_a_batch_of_ones_own(config):
    assert cnnbp.check_gradients(config, x=X.transpose(3, 0, 1, 2), y=Y, layout="nchw", entries=3).verdict == "pass"


def test_any_number_of_channels_can_be_looked_at(tmp_path):
    file = tmp_path / "five.yaml"
    file.write_text(
        "input: {channels: 5, height: 4, width: 4}\n"
        "layers: [{conv2d: {filters: 2, kernel: 3}}, relu, flatten, {dense: {units: 2}}]\nloss: cross_entropy\n"
    )
    config = cnnbp.load_config(file)
    assert cnnbp.shapes(config).input_shape == (5, 4, 4)
    assert cnnbp.check_gradients(config).verdict == "pass"
    x, y = np.random.default_rng(1).random((5, 4, 4, 6)), np.arange(6) % 2
    inspection = cnnbp.grads(config, x, y)
    assert inspection.record.gradient == cnnbp.backpropagate(config, x, y).gradient
    epochs = list(cnnbp.train(config, x, y, validation=(x, y)))
    assert epochs[-1].run.predict(x).probabilities.shape == (2, 6)
    with pytest.raises(cnnbp.ConfigError, match="channels is 5"):
        cnnbp.train(config.with_data(ROOT / "datasets/strokes"))


def test_what_the_commands_draw_is_what_the_functions_return(config):
    assert cnnbp.shapes(config, batch=2).step.batch == 2
    assert len(cnnbp.grads(config, images=2).images) == 2
    assert cnnbp.inventory(ROOT / "datasets/strokes").splits["train"] == {"horizontal": 60, "vertical": 60}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda config: cnnbp.shapes(config, batch=0), "batch is 0"),
        (lambda config: cnnbp.shapes(config, batch=-1), "batch is -1"),
        (lambda config: cnnbp.check_gradients(config, images=0), "images is 0"),
        (lambda config: cnnbp.check_gradients(config, entries=-1), "entries is -1"),
        (lambda config: cnnbp.grads(config, images=1.5), "images is 1.5"),
        (lambda config: cnnbp.train(config, threads=0), "threads is 0"),
        (lambda config: cnnbp.load_config(LECTURE, "seed=1"), "overrides are a list of texts"),
    ],
)
def test_a_count_that_is_none_is_refused_at_once(config, call, message):
    with pytest.raises(cnnbp.ConfigError, match=message):
        call(config)


def test_without_a_folder_images_are_asked_for(config):
    with pytest.raises(cnnbp.ConfigError, match=r"give images x and their classes y, or set data\.path"):
        cnnbp.train(config.model_copy(update={"data": None}))
