"""What the JSON Schema tells an editor, against what the loader says."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic.fields import FieldInfo

from cnnbp.config import json_schema
from cnnbp.config.yaml_text import read_yaml, source_of
from cnnbp.layers import SPELLINGS
from cnnbp.losses import LOSSES
from cnnbp.optimizers import OPTIMIZERS
from cnnbp.schedules import SCHEDULES
from tests.config.texts import changed, right

CONFIGS = Path(__file__).parents[2] / "configs"
CHOICES = {
    "layers": list(SPELLINGS),
    "loss": [loss.type for loss in LOSSES],
    "optimizer": [optimizer.type for optimizer in OPTIMIZERS],
    "schedule": [schedule.type for schedule in SCHEDULES],
}


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(json_schema())


def values_of(text):
    """Return what the loader reads, as JSON has it."""
    return json.loads(json.dumps(read_yaml(text, source_of(text, "c.yaml"), []).plain()))


def choice(validator, key):
    """Return the plain words and the keys that the schema has for a choice."""
    schema = validator.schema["properties"].get(key) or validator.schema["$defs"]["TrainConfig"]["properties"][key]
    *words, one_key = schema.get("items", schema)["anyOf"]
    return {word["const"]: word["description"] for word in words}, one_key


def test_it_is_a_schema_of_the_2020_12_draft(validator):
    assert validator.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(validator.schema)


@pytest.mark.parametrize("key", CHOICES)
def test_every_choice_is_there_by_its_key_and_by_its_word_if_that_is_enough(validator, key):
    words, one_key = choice(validator, key)
    assert list(one_key["properties"]) == CHOICES[key]
    assert (one_key["minProperties"], one_key["maxProperties"], one_key["additionalProperties"]) == (1, 1, False)
    needing = {name for name, spec in SPELLINGS.items() if any(map(FieldInfo.is_required, spec.model_fields.values()))}
    needing |= {"step"}
    assert list(words) == [name for name in CHOICES[key] if name not in needing]
    assert all(words.values())


def test_every_option_is_described(validator):
    models = [validator.schema, *validator.schema["$defs"].values()]
    undescribed = [
        option
        for model in models
        for option, schema in model.get("properties", {}).items()
        if "description" not in schema
    ]
    assert undescribed == []


def test_defaults_are_spelled_as_a_configuration_does(validator):
    train = validator.schema["$defs"]["TrainConfig"]["properties"]
    assert (train["optimizer"]["default"], train["schedule"]["default"]) == ("adam", "constant")


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.yaml")), ids=lambda file: file.stem)
def test_the_configurations_that_come_along_are_valid(validator, file):
    assert [error.message for error in validator.iter_errors(values_of(file.read_text()))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relu", "relu: "), ("relu", "relu: {name: a}"), ("relu", "residual: {layers: [relu]}"),
        ("kernel: 3", "kernel: [3, 3]"), ("kernel: 3", "kernel: 3, pad: same"), ("kernel: 3", "kernel: 3, pad: [0, 1]"),
        ("seed: 0", "data: {augment: [{shift: 1}, {shift: {pixels: 1}}, {flip: vertical}], cache: 1GiB}"),
        ("seed: 0", "data: {normalize: auto, background: [1, 2, 3], path: x}"),
        ("seed: 0", "data: {normalize: {mean: [0.1], std: 2}, background: 3}"),
        ("seed: 0", "train: {optimizer: sgd, schedule: {step: {every: 1}}, clip_norm: 1, early_stopping: {}}"),
    ],
)  # fmt: skip
def test_what_the_loader_accepts_is_valid(validator, old, new):
    right(old, new)
    assert [error.message for error in validator.iter_errors(values_of(changed(old, new)))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relu", "rellu"), ("relu", "conv2d"), ("relu", "{relu: {}, tanh: {}}"), ("relu", "{relu: {slope: 1}}"),
        ("seed: 0", "sed: 0"), ("seed: 0", "seed: -1"), ("seed: 0", "seed: '0'"), ("channels: 1", "channels: 0"),
        ("kernel: 3", "kernel: 0"), ("kernel: 3", "kernel: [3, 3, 3]"), ("kernel: 3", "kernel: 3, pad: smae"),
        ("loss: cross_entropy", ""), ("loss: cross_entropy", "loss: {cross_entropy: {label_smoothing: 1}}"),
        ("seed: 0", "data: {augment: [{shift: 0}]}"), ("seed: 0", "train: {optimizer: {adam: {lr: 0}}}"),
    ],
)  # fmt: skip
def test_what_is_wrong_by_itself_is_invalid(validator, old, new):
    assert not validator.is_valid(values_of(changed(old, new)))


def test_the_schema_beside_the_configurations_is_current():
    """After a change: cnnbp schema > configs/cnnbp.schema.json."""
    assert json.loads((CONFIGS / "cnnbp.schema.json").read_text()) == json_schema()
