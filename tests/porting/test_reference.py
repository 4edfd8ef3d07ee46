"""A reference holds what a network computes: held against a forward and backward pass that is written anew."""

import numpy as np
import pytest

from cnnbp.config import load_config, parse_config
from cnnbp.inspect.images import batch_images
from cnnbp.inspect.record import Model, record_batch
from cnnbp.layers import SPELLINGS
from cnnbp.losses import LOSSES
from cnnbp.porting import reference as written
from cnnbp.porting.layouts import Layout
from cnnbp.porting.reference import reference_of
from tests.cli.command import ROOT
from tests.porting import nchw
from tests.porting.references import HEAD, NORMED, PLAIN, batch, reference


@pytest.fixture(scope="module")
def digits():
    config = load_config(ROOT / "configs/digits.yaml")
    images = batch_images(config, 5)
    model = Model(config.network, config.loss, config.network.initial_parameters(0), {})
    record = record_batch(model, images.x, images.labels)
    return {layout: reference_of(record, config, images, layout) for layout in Layout}


def given(arrays):
    return {name.removeprefix("param/"): array for name, array in arrays.items() if name.startswith("param/")}


def test_every_tensor_with_the_batch_first_is_that_of_a_network_with_the_batch_first(digits):
    arrays = digits[Layout.NCHW].arrays
    expected = nchw.digits(arrays["X"], arrays["y"], given(arrays))
    assert expected.keys() == {name for name in arrays if name not in ("X", "y") and not name.startswith("param/")}
    for name, array in expected.items():
        np.testing.assert_allclose(arrays[name], array, rtol=1e-11, atol=1e-14, err_msg=name)


def test_the_layouts_hold_the_same_numbers_and_the_same_columns_behind_a_flatten(digits):
    first, last = digits[Layout.NCHW], digits[Layout.CHWM]
    assert first.arrays["value/conv2"].shape == (5, 32, 4, 4)
    np.testing.assert_array_equal(first.arrays["value/conv2"].transpose(1, 2, 3, 0), last.arrays["value/conv2"])
    for name in ("param/dense1.W", "grad/dense1.W", "grad/conv2.W"):
        np.testing.assert_array_equal(first.arrays[name], last.arrays[name])
    assert all(array.flags.c_contiguous for array in first.arrays.values())


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(("text", "dropout"), [(NORMED, True), (NORMED, False), (PLAIN, False)])
def test_the_description_names_every_array_with_its_axes_in_the_order_of_computation(text, dropout, layout):
    found = reference(text, layout, dropout=dropout)
    tensors = found.description.tensors
    assert list(tensors) == list(found.arrays)
    for name, tensor in tensors.items():
        assert tensor.shape == found.arrays[name].shape, name
        assert len(tensor.axes) == len(tensor.shape), name
    order = list(tensors)
    assert order.index("value/conv2d1") < order.index("value/relu1") < order.index("loss") < order.index("grad/conv2d1")
    assert order.index("grad/dense1") > order.index("loss")
    assert order.index("grad/conv2d1.W") < order.index("grad/X")
    assert ("mask/dropout1" in tensors) == dropout


def test_batch_norms_mean_and_variance_are_those_of_the_batch_and_nothing_is_told_image_by_image():
    found = reference(NORMED, Layout.NCHW)
    z = found.arrays["value/conv2d1"]
    np.testing.assert_allclose(found.arrays["mean/batchnorm1"], z.mean(axis=(0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(found.arrays["var/batchnorm1"], z.var(axis=(0, 2, 3)), rtol=1e-13)
    assert not any(name.startswith("image_grad/") for name in found.arrays)
    assert "batch norm couples the images" in found.description.left_out


def test_a_masks_zeros_are_the_values_that_dropout_dropped():
    found = reference(NORMED, dropout=True).arrays
    np.testing.assert_allclose(found["value/dropout1"], found["value/relu1"] * found["mask/dropout1"] / 0.6, rtol=1e-14)


def test_the_gradients_of_the_images_add_up_and_are_left_out_where_they_are_many(monkeypatch):
    found = reference(PLAIN)
    for name in ("conv2d1.W", "hidden.W", "dense1.b"):
        total = found.arrays[f"image_grad/{name}"].sum(axis=-1)
        np.testing.assert_allclose(total, found.arrays[f"grad/{name}"], rtol=0, atol=1e-15)
    monkeypatch.setattr(written, "LARGEST_IMAGE_GRADIENTS", 100)
    assert "smaller --batch" in batch(PLAIN).reference().description.left_out


def test_a_network_can_be_built_again_from_its_description():
    found = reference(NORMED.replace("cross_entropy", "{cross_entropy: {class_weights: balanced}}")).description
    layers = parse_config(NORMED, "c.yaml").network.nodes
    for layer, node in zip(found.layers, layers, strict=True):
        if layer.type != "add":
            assert SPELLINGS[layer.type].model_validate({**layer.options, "name": layer.name}) == node.layer
    [loss] = (loss for loss in LOSSES if loss.type == found.loss.type)
    assert loss.model_validate(found.loss.options).class_weights == (1.0, 1.0, 1.0)
    assert parse_config(found.config, "c.yaml").network.output_shape == (3,)


def test_a_bias_before_batch_norm_has_a_gradient_that_is_all_rounding():
    found = reference(NORMED)
    assert np.abs(found.arrays["grad/conv2d1.b"]).max() < 1e-15 * found.description.tensors["grad/conv2d1.b"].rounding


def test_images_of_a_network_that_starts_with_flatten_are_named_as_maps():
    found = reference(HEAD + "  - flatten\n  - dense: {units: 3}\n", Layout.NCHW).description
    assert found.tensors["X"].axes == ("image", "channel", "row", "column")
    assert found.tensors["grad/flatten1"].axes == ("image", "feature")
