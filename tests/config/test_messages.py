"""Each kind of wrong value: what is said, and what the caret points at."""

import pytest

from tests.config.texts import RIGHT, changed, complaint, complaints, refusal_of


@pytest.mark.parametrize(
    ("option", "message", "marked"),
    [
        ("filters: '4', kernel: 3", 'filters must be a whole number, not "4" (write it without quotes)', "'4'"),
        ("filters: true, kernel: 3", "filters must be a whole number, not true", "true"),
        ("filters: 4.0, kernel: 3", "filters must be a whole number, not 4.0", "4.0"),
        ("filters: 0, kernel: 3", "filters must be above 0, not 0", "0"),
        ("filters: [4], kernel: 3", "filters must be a whole number, not a list", "["),
        ("filters: , kernel: 3", "filters must be a whole number, not empty", "filters"),
        ("filters: ~, kernel: 3", "filters must be a whole number, not empty", "~"),
        ("filters: 4, kernel: 0", "kernel must be above 0, not 0", "0"),
        ("filters: 4, kernel: [3, 0]", "kernel must be above 0, not 0", "0"),
        ("filters: 4, kernel: [3]", "kernel must be a whole number or [height, width], not a list", "["),
        ("filters: 4, kernel: three", 'kernel must be a whole number or [height, width], not "three"', "three"),
        ("filters: 4, kernel: true", "kernel must be a whole number or [height, width], not true", "true"),
        (
            "filters: 4, kernel: 3, pad: smae",
            'pad must be "same" or "valid" or a whole number or [height, width], not "smae" (did you mean "same"?)',
            "smae",
        ),
        ("filters: 4, kernel: 3, pad: [1, -1]", "pad must be at least 0, not -1", "-1"),
        ("filters: 4, kernel: 3, bias: yes", 'bias must be true or false, not "yes" (write true)', "yes"),
        ("filters: 4, kernel: 3, bias: Off", 'bias must be true or false, not "Off" (write false)', "Off"),
        ("filters: 4, kernel: 3, bias: 1", "bias must be true or false, not 1", "1"),
        (
            "filters: 4, kernel: 3, init: He",
            'init must be "he", "xavier", "lecun", "normal" or "zeros", not "He" (did you mean "he"?)',
            "He",
        ),
        ("filters: 4, kernel: 3, name: a.b", 'name must be letters, digits, _ and -, not "a.b"', "a.b"),
        ("filters: 4, kernel: 3, name: 3", "name must be text, not 3", "3"),
        ("filter: 4, filters: 4, kernel: 3", 'unknown option "filter" for conv2d (did you mean "filters"?)', "filter"),
        ("filters: 4, kernle: 3", 'unknown option "kernle" for conv2d (did you mean "kernel"?)', "kernle"),
        ("kernel: 3", 'conv2d needs "filters"', "conv2d"),
        ("", 'conv2d needs "filters" and "kernel"', "conv2d"),
        ("filters: 4, kernel: 3, groups: 3", "filters (4) must be divisible by groups (3)", "conv2d"),
    ],
)
def test_a_wrong_option_is_named_with_what_it_must_be(option, message, marked):
    assert complaint("filters: 4, kernel: 3", option) == (message, marked)


@pytest.mark.parametrize(
    ("layer", "message", "marked"),
    [
        ("rellu", 'unknown layer "rellu" (did you mean "relu"?)', "rellu"),
        ("{convd: {filters: 3}}", 'unknown layer "convd" (did you mean "conv2d"?)', "convd"),
        ("softmax", 'unknown layer "softmax" (cross_entropy takes logits and applies softmax itself: leave it out)',
         "softmax"),
        ("maxpool2d", 'maxpool2d needs "kernel"', "maxpool2d"),
        ("{maxpool2d: 2}", "maxpool2d must be a mapping of options, not 2", "2"),
        ("3", "a layer is a word, or one key with its options", "3"),
        ("{relu: {}, tanh: {}}",
         "a layer is a word, or one key with its options (indent the options further than relu)", "{"),
        ("{residual: {layers: []}}", "layers must be a list of 1 or more, not an empty list", "["),
        ("{residual: {layers: [rellu]}}", 'unknown layer "rellu" (did you mean "relu"?)', "rellu"),
        ("{residual: {layers: {relu: {}}}}", "layers must be a list, not a mapping", "{"),
    ],
)  # fmt: skip
def test_a_wrong_layer_is_named_with_what_there_is(layer, message, marked):
    assert complaint("relu", layer) == (message, marked)


def test_options_that_are_not_indented_further_than_their_layer_are_recognised():
    message, _ = complaint("conv2d: {filters: 4, kernel: 3}", "conv2d:\n    filters: 4\n    kernel: 3")
    assert message == "a layer is a word, or one key with its options (indent the options further than conv2d)"


@pytest.mark.parametrize(
    ("data", "message", "marked"),
    [
        ("fit: strech", 'fit must be "stretch", "crop" or "pad", not "strech" (did you mean "stretch"?)', "strech"),
        ("validation: 1", "validation must be below 1, not 1", "1"),
        ("path: 3", "path must be the path of a folder, not 3", "3"),
        ("path: ''", 'path must be the path of a folder, not ""', "''"),
        ('path: "a\\0b"', 'path must be the path of a folder, not "a\\x00b"', '"a\\0b"'),
        ("cache: 999999999999GiB", 'cache must be less than 8 EiB, not "999999999999GiB"', "999999999999GiB"),
        ("cache: 1TB", 'cache must be a number of bytes, or a text such as 512MiB, not "1TB"', "1TB"),
        ("cache: -1", "cache must be at least 0, not -1", "-1"),
        ("background: [1, 2]", "background must be a grey level or [red, green, blue], not a list", "["),
        ("background: [1, 2, 300]", "background must be at most 255, not 300", "300"),
        ("background: 256", "background must be at most 255, not 256", "256"),
        ("normalize: atuo",
         'normalize must be a mapping of options or "auto", not "atuo" (did you mean "auto"?)', "atuo"),
        ("normalize: {mean: x}", 'mean must be a number or a list, not "x"', "x"),
        ("normalize: {std: 0}", "std must be above 0 or a list, not 0", "0"),
        ("normalize: {mean: [x]}", 'mean must be a number, not "x"', "x"),
        ("normalize: {men: 0}", 'unknown option "men" for normalize (did you mean "mean"?)', "men"),
        ("normalize: {mean: [0.1, 0.2]}", "mean has 2 numbers for 1 channels", "mean"),
        ("augment: flip", 'augment must be a list, not "flip"', "flip"),
        ("augment: [flip]", 'flip needs "axis"', "flip"),
        ("augment: [{flip: up}]",
         'flip must be "horizontal" or "vertical", not "up" (known: horizontal, vertical)', "up"),
        ("augment: [{flop: 3}]", 'unknown augmentation "flop" (did you mean "flip"?)', "flop"),
        ("augment: [{shift: 1.5}]", "shift must be a whole number, not 1.5", "1.5"),
    ],
)  # fmt: skip
def test_a_wrong_data_option_is_named_with_what_it_must_be(data, message, marked):
    assert complaint("seed: 0", f"data: {{{data}}}") == (message, marked)


@pytest.mark.parametrize(
    ("train", "message", "marked"),
    [
        ("epoch: 3", 'unknown option "epoch" for train (did you mean "epochs"?)', "epoch"),
        ("optimizer: adm", 'unknown optimizer "adm" (did you mean "adam"?)', "adm"),
        ("optimizer: {adam: {lr: -1}}", "lr must be above 0, not -1", "-1"),
        ("optimizer: {adam: {lr: 1e-3x}}", 'lr must be a number, not "1e-3x"', "1e-3x"),
        ("optimizer: {adam: {lr: '1e-3'}}", 'lr must be a number, not "1e-3" (write it without quotes)', "'1e-3'"),
        ("optimizer: {adam: {lr: .nan}}", "a finite number is needed, not .nan", ".nan"),
        ("optimizer: {adam: {lr: 1e999}}", "this number is too large: the largest is about 1.8e308", "1e999"),
        ("optimizer: {sgd: {nesterov: true}}", "nesterov needs a momentum above 0", "sgd"),
        ("schedule: step", 'step needs "every"', "step"),
        ("schedule: {cosine: {floor: 2}}", "floor must be at most 1, not 2", "2"),
        ("early_stopping: 3", "early_stopping must be a mapping of options, not 3", "3"),
    ],
)  # fmt: skip
def test_a_wrong_training_option_is_named_with_what_it_must_be(train, message, marked):
    assert complaint("seed: 0", f"train: {{{train}}}") == (message, marked)


def test_all_that_is_wrong_is_said_at_once_from_top_to_bottom():
    text = (
        changed("filters: 4, kernel: 3", "filter: 4, kernel: -1").replace("relu", "rellu").replace("seed: 0", "sed: 0")
    )
    assert complaints(text) == [
        ('unknown option "sed" for the configuration (did you mean "seed"?)', "sed"),
        ('unknown option "filter" for conv2d (did you mean "filters"?)', "filter"),
        ("kernel must be above 0, not -1", "-1"),
        ('unknown layer "rellu" (did you mean "relu"?)', "rellu"),
    ]


def test_a_misspelled_option_is_not_missed_as_well_but_others_are():
    assert complaints(changed("filters: 4, kernel: 3", "kernle: 3").replace("loss:", "los:")) == [
        ('conv2d needs "filters"', "conv2d"),
        ('unknown option "kernle" for conv2d (did you mean "kernel"?)', "kernle"),
        ('unknown option "los" for the configuration (did you mean "loss"?)', "los"),
    ]


def test_a_wrong_shape_is_said_together_with_what_is_wrong_elsewhere():
    text = changed("kernel: 3", "kernel: 9") + "train: {epoch: 3}\n"
    assert [message for message, _ in complaints(text)] == [
        'conv2d "conv2d1": kernel 9×9 stride 1 does not fit its input 1×8×8 (⌊(8−9)/1⌋+1 = 0)',
        'unknown option "epoch" for train (did you mean "epochs"?)',
    ]


def test_problems_of_the_text_and_of_its_values_are_said_together_but_not_twice():
    text = "seed: !!int 0\nseed: 1\n" + changed("seed: 0", "sed: .inf")
    assert [message.split(" (")[0] for message, _ in complaints(text)] == [
        "tags are not allowed: tag:yaml.org,2002:int",
        'duplicate key "seed"',
        'unknown option "sed" for the configuration',
        "a finite number is needed, not .inf",
    ]


def test_an_option_on_the_wrong_level_is_told_where_it_belongs():
    assert complaints("epochs: 3\n" + RIGHT) == [
        ('unknown option "epochs" for the configuration (it belongs under train)', "epochs")
    ]


def test_missing_sections_are_said_at_the_top():
    assert complaints("seed: 0\n") == [('the configuration needs "input" and "layers" and "loss"', "seed")]


@pytest.mark.parametrize(("text", "got"), [("hello", '"hello"'), ("[1]", "a list"), ("3", "3")])
def test_a_configuration_is_a_mapping(text, got):
    assert complaints(text)[0][0] == f"the configuration must be a mapping of options, not {got}"


def test_control_characters_and_long_texts_are_not_repeated_as_they_are():
    text = refusal_of(f'"a\\e[31m": 1\nloss: {"x" * 500_000}\n')
    assert text.replace("\n", "").isprintable()
    assert 'unknown option "a\\x1b[31m"' in text
    assert len(text) < 2000
