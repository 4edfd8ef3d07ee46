"""The configurations of the lecture and of the digits keep what their comments promise."""

from pathlib import Path

import pytest

from cnnbp.config import load_config
from tests.config.training import trained

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_lectures_network_has_the_lectures_shapes():
    network = load_config(CONFIGS / "lecture.yaml").network
    assert [node.output_shape for node in network.nodes] == [(1, 4, 4), (1, 4, 4), (1, 2, 2), (4,), (1,)]
    assert network.layout.shapes == {"conv1": {"W": (1, 1, 3, 3), "b": (1,)}, "dense1": {"W": (1, 4), "b": (1,)}}


def test_the_lectures_network_learns_its_strokes():
    assert trained(load_config(CONFIGS / "lecture.yaml")).history[-1].val_accuracy == 1


def test_the_digits_are_told_apart():
    assert trained(load_config(CONFIGS / "digits.yaml")).history[-1].val_accuracy >= 0.98


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_configuration_names_its_schema_to_editors(file):
    schema = file.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / schema).samefile(CONFIGS / "cnnbp.schema.json")
