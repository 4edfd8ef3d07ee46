import pytest

from cnnbp.layers import Conv2d, LeakyReLU, ReLU
from cnnbp.layers.dense import Dense
from cnnbp.optimizers import SGD, Adam
from cnnbp.schedules import Constant, Cosine, Step, Warmup
from tests.config.texts import RIGHT, complaints, right


def complaint(*overrides):
    [found] = complaints(RIGHT, *overrides)
    return found


def test_an_override_replaces_the_value_of_the_file():
    assert right("", "", "seed=7").seed == 7


def test_an_override_writes_what_the_file_leaves_out():
    train = right("", "", "train.epochs=3", "train.early_stopping.patience=2").train
    assert (train.epochs, train.early_stopping.patience) == (3, 2)


def test_the_last_of_several_overrides_holds():
    assert right("", "", "seed=1", "seed=2").seed == 2


def test_values_are_read_as_yaml_reads_them():
    config = right("", "", "train.optimizer={sgd: {lr: 1e-2}}", "train.clip_norm=", "layers.0.pad=[1, 2]", "seed=010")
    assert config.train.optimizer == SGD(lr=0.01)
    assert config.train.clip_norm is None
    assert config.layers[0].pad == (1, 2)
    assert config.seed == 10


def test_only_the_first_equals_sign_divides_key_and_value():
    assert right("", "", "data.path=/a=b").data.path.name == "a=b"


@pytest.mark.parametrize("key", ["layers.0.filters", "layers.0.conv2d.filters"])
def test_the_name_of_a_layer_may_be_left_out(key):
    assert right("", "", f"{key}=32").layers[0] == Conv2d(filters=32, kernel=(3, 3))


def test_a_plain_word_takes_options_too():
    assert right("", "", "layers.1.name=a1").layers[1] == ReLU(name="a1")


def test_an_empty_key_takes_options_too():
    assert right("- relu", "- relu:", "layers.1.name=a1").layers[1] == ReLU(name="a1")


def test_layers_inside_a_residual_block_are_reached_alike():
    config = right("relu", "residual: {layers: [relu], name: r1}", "layers.1.layers.0.name=inner", "layers.1.name=r2")
    assert config.layers[1].name == "r2"
    assert config.layers[1].layers == (ReLU(name="inner"),)


def test_another_name_replaces_the_choice():
    config = right("", "", "layers.1.leaky_relu.slope=0.2", "train.optimizer.sgd.lr=1", "layers.3=dense: {units: 10}")
    assert config.layers[1] == LeakyReLU(slope=0.2)
    assert config.layers[3] == Dense(units=10)
    assert config.train.optimizer == SGD(lr=1)


@pytest.mark.parametrize("written", ["adam", "{adam: {}}", "{adam: }"])
def test_an_option_goes_to_the_choice_that_is_written(written):
    config = right("seed: 0", f"train: {{optimizer: {written}}}", "train.optimizer.lr=0.5")
    assert config.train.optimizer == Adam(lr=0.5)


def test_an_option_goes_to_the_default_choice_when_none_is_written():
    config = right("", "", "train.optimizer.lr=0.5", "train.schedule.warmup=2")
    assert config.train.optimizer == Adam(lr=0.5)
    assert config.train.schedule == Constant(warmup=2)


def test_a_name_that_is_an_option_as_well_is_taken_for_the_option():
    cosine = "train: {schedule: cosine}"
    assert right("seed: 0", cosine, "train.schedule.warmup=2").train.schedule == Cosine(warmup=2)
    assert right("seed: 0", cosine, "train.schedule=warmup").train.schedule == Warmup()
    assert right("seed: 0", cosine, "train.schedule.step.every=2").train.schedule == Step(every=2)


def test_an_override_of_an_aliased_value_leaves_its_twin_alone():
    text = right("- relu", "- &b {batchnorm: {eps: 1e-3}}\n  - *b", "layers.2.eps=1e-4")
    assert [layer.eps for layer in text.layers[1:3]] == [1e-3, 1e-4]


@pytest.mark.parametrize("override", ["seed", "=3", "a..b=3", ".seed=3", "seed.=3", "", f"{'a.' * 100_000}a=3"])
def test_an_override_without_a_key_and_a_value_is_refused(override):
    assert complaint(override)[0] == "an override is written key=value, as train.epochs=3"


@pytest.mark.parametrize(
    ("override", "message", "marked"),
    [
        ("sed=1", 'unknown option "sed" for the configuration (did you mean "seed"?)', "sed"),
        ("train.epochz=1", 'unknown option "epochz" for train (did you mean "epochs"?)', "epochz"),
        ("layers.0.filter=1", 'unknown option "filter" for conv2d (did you mean "filters"?)', "filter"),
        ("layers.1.slope=1", 'unknown option "slope" for relu (known: name)', "slope"),
        ("layers.9.name=x", '"9" is not a position: the list has 4 entries, from 0 on', "9"),
        ("layers.-1.name=x", '"-1" is not a position: the list has 4 entries, from 0 on', "-1"),
        ("layers.relu.name=x", '"relu" is not a position: the list has 4 entries, from 0 on', "relu"),
        ("layers.¹.name=x", '"¹" is not a position: the list has 4 entries, from 0 on', "¹"),
        ("seed=x", 'seed must be a whole number, not "x"', "x"),
        ("seed.x=3", "seed must be a whole number, not a mapping", "x"),
        ("train.epochs= 2.5", "epochs must be a whole number, not 2.5", "2.5"),
        ("train.optimizer.lr=x", 'lr must be a number, not "x"', "x"),
        ("train.optimizer=adamm", 'unknown optimizer "adamm" (did you mean "adam"?)', "adamm"),
        ("layers=relu", 'layers must be a list, not "relu"', "relu"),
        ("layers.0.groups=3", "filters (4) must be divisible by groups (3)", "3"),
        ("seed=.nan", "a finite number is needed, not .nan", ".nan"),
        ("seed=!!int 3", "tags are not allowed: tag:yaml.org,2002:int", "!!int 3"),
        ("seed=*a", "the alias *a has no anchor before it", "*a"),
    ],
)
def test_what_an_override_gets_wrong_is_shown_in_the_override(override, message, marked):
    assert complaint(override) == (message, marked)


def test_an_override_that_is_no_yaml_is_shown_where_reading_stopped():
    message, _ = complaint("layers.0.pad=[1")
    assert message.startswith("not YAML: ")


def test_a_shape_that_an_override_makes_wrong_is_shown_in_the_override():
    assert complaint("layers.0.kernel=9") == (
        'conv2d "conv2d1": kernel 9×9 stride 1 does not fit its input 1×8×8 (⌊(8−9)/1⌋+1 = 0)',
        "9",
    )


def test_overrides_and_the_file_are_complained_of_together():
    found = complaints(RIGHT.replace("relu", "rellu"), "seed=x", "train.epochs=y")
    assert [marked for _, marked in found] == ["rellu", "x", "y"]


def test_overrides_do_not_make_a_text_a_configuration():
    assert complaints("[1]", "0.x=3")[0][0] == "the configuration must be a mapping of options, not a list"
