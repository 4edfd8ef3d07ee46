"""What fits together and what does not: shapes, the last layer and the loss, the loss and the folder's classes."""

from pathlib import Path

import pytest

from cnnbp.config import Config, InputConfig, check_against_classes, parse_config
from cnnbp.errors import ConfigError
from cnnbp.layers import Dense, Flatten
from cnnbp.losses import CrossEntropy
from tests.config.texts import RIGHT, changed, complaint, complaints, right

TEN = [str(number) for number in range(10)]


def text(input_size, layers, loss):
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return f"input: {{channels: 1, height: {input_size}, width: {input_size}}}\nlayers:\n{lines}loss: {loss}\n"


def test_a_shape_error_is_shown_at_its_layer_with_the_arithmetic():
    layers = ["conv2d: {filters: 32, kernel: 2}", "relu", "maxpool2d: {name: pool3, kernel: 4}", "flatten"]
    assert complaints(text(4, layers, "cross_entropy")) == [
        ('maxpool2d "pool3": kernel 4×4 stride 4 does not fit its input 32×3×3 (⌊(3−4)/4⌋+1 = 0)', "maxpool2d")
    ]


def test_a_shape_error_inside_a_residual_block_is_shown_at_the_inner_layer():
    layers = ["residual:\n      layers:\n        - relu\n        - dense: {units: 3}", "flatten"]
    [(message, marked)] = complaints(text(4, layers, "cross_entropy"))
    assert message.startswith('dense "dense1" needs a flat input (features); its input is 1×4×4×M')
    assert marked == "dense"


def test_branches_that_do_not_add_up_are_shown_at_the_residual_block():
    [(message, marked)] = complaints(text(4, ["residual: {layers: [flatten]}"], "cross_entropy"))
    assert message.startswith('residual "residual1" adds 16×M from its layers to 1×4×4×M from its shortcut')
    assert marked == "residual"


def test_equal_names_are_shown_at_the_second_layer():
    assert complaint("relu", "relu: {name: conv2d1}") == (
        'two layers are called "conv2d1": give each a name of its own', "relu",
    )  # fmt: skip


def test_tensors_that_no_memory_holds_are_refused():
    assert complaint("units: 10", "units: 100000000000")[0] == (
        '"dense1" needs a tensor of 100000000000×144 numbers, more than memory can hold'
    )
    assert complaint("filters: 4", "filters: 1000000000000")[0].startswith('"conv2d1" needs a tensor of ')


@pytest.mark.parametrize(
    ("layers", "loss", "own"),
    [
        (["dense: {units: 1}", "sigmoid"], "binary_cross_entropy", "sigmoid"),
        (["dense: {units: 3}", "sigmoid"], "cross_entropy", "softmax"),
        (["dense: {units: 3}", "sigmoid", "flatten"], "{cross_entropy: {label_smoothing: 0.1}}", "softmax"),
    ],
)
def test_a_sigmoid_right_before_a_loss_of_logits_is_refused_with_the_reason(layers, loss, own):
    [(message, _)] = complaints(text(2, ["flatten", *layers], loss))
    assert message.startswith('sigmoid "sigmoid1" stands right before ')
    assert f"which takes logits and applies {own} itself" in message


def test_a_sigmoid_before_mean_squared_error_or_before_another_layer_is_right():
    parse_config(text(2, ["flatten", "dense: {units: 3}", "sigmoid"], "mean_squared_error"), "c.yaml")
    parse_config(text(2, ["flatten", "sigmoid", "dense: {units: 3}"], "cross_entropy"), "c.yaml")


def test_a_network_of_nothing_but_flatten_is_read():
    assert parse_config(text(1, ["flatten"], "binary_cross_entropy"), "c.yaml").network.output_shape == (1,)


def test_the_last_layer_must_suit_the_loss():
    assert complaint("  - flatten\n  - dense: {units: 10}\n", "")[0] == (
        'cross_entropy needs flat outputs; "relu1" gives 4×6×6×M: end in flatten and dense'
    )
    assert complaint("units: 10", "units: 1")[0] == (
        'cross_entropy needs an output for each class; "dense1" gives 1 (for two classes: binary_cross_entropy)'
    )
    assert complaint("loss: cross_entropy", "loss: binary_cross_entropy") == (
        'binary_cross_entropy needs 1 output; "dense1" gives 10', "dense",
    )  # fmt: skip


def test_class_weights_must_be_as_many_as_the_classes():
    assert complaint("cross_entropy", "{cross_entropy: {class_weights: [1, 2]}}") == (
        "class_weights has 2 numbers for 10 classes", "class_weights",
    )  # fmt: skip
    binary = changed("units: 10", "units: 1").replace(
        "cross_entropy", "{binary_cross_entropy: {class_weights: [1, 2]}}"
    )
    assert parse_config(binary, "c.yaml").loss.class_weights == (1, 2)


def test_mean_and_deviation_must_be_as_many_as_the_channels():
    data = "data: {normalize: {mean: [0, 0, 0], std: [1, 1]}}\n"
    assert complaints(data + RIGHT.replace("channels: 1", "channels: 3")) == [
        ("std has 2 numbers for 3 channels", "std")
    ]


def classes_refusal(config, classes):
    with pytest.raises(ConfigError) as raised:
        check_against_classes(config, classes)
    return str(raised.value)


def test_the_right_number_of_classes_is_accepted():
    check_against_classes(right(), TEN)
    check_against_classes(right("units: 10", "units: 3", "loss=mean_squared_error"), "abc")
    check_against_classes(right("units: 10", "units: 1", "loss=binary_cross_entropy"), "ab")


def test_outputs_that_are_not_as_many_as_the_classes_are_refused_at_the_last_layer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = right("units: 10", "units: 9", "data.path=datasets/digits")
    assert classes_refusal(config, TEN) == (
        'cross_entropy over 10 classes (datasets/digits) needs 10 outputs; "dense1" gives 9\n'
        " --> c.yaml:7:5\n"
        "  |\n"
        "7 |   - dense: {units: 9}\n"
        "  |     ^^^^^"
    )


def test_a_folder_elsewhere_is_named_in_full(tmp_path):
    assert f"({tmp_path})" in classes_refusal(right().with_data(tmp_path), "abc")


def test_binary_cross_entropy_wants_two_classes():
    config = right("units: 10", "units: 1", "loss=binary_cross_entropy")
    assert classes_refusal(config, "abc").startswith(
        "binary_cross_entropy over 3 classes: it is for 2 classes; use cross_entropy and 3 outputs\n"
    )


def test_one_class_is_nothing_to_tell_apart():
    assert "over 1 class: there is nothing to tell apart" in classes_refusal(right(), "a")


def test_a_configuration_that_was_not_read_from_text_is_refused_without_a_place():
    config = Config(
        input=InputConfig(channels=1, height=2, width=2), layers=(Flatten(), Dense(units=3)), loss=CrossEntropy()
    ).with_data(Path("/data"))
    assert classes_refusal(config, "ab") == 'cross_entropy over 2 classes (/data) needs 2 outputs; "dense1" gives 3'
