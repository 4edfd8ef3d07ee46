import numpy as np
import pytest

from cnnbp.config.numbers import load_numbers
from cnnbp.errors import ConfigError


def test_tensors_are_read_by_layer_and_name(tmp_path):
    (tmp_path / "w.yaml").write_text("conv1: {W: [[[[1, -2], [0.5, 1e-3]]]], b: [3]}\ndense1:\n  b: [0, 1]\n")
    found = load_numbers(tmp_path / "w.yaml")
    assert list(found) == ["conv1.W", "conv1.b", "dense1.b"]
    np.testing.assert_array_equal(found["conv1.W"], [[[[1, -2], [0.5, 1e-3]]]])
    assert found["dense1.b"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("conv1: {W: [[1, 2], [3]]}", "lists of equal length", ":1:12"),
        ("conv1: {W: [1, two]}", "lists of equal length", ":1:12"),
        ("conv1: {W: [1, .inf]}", "not finite", ":1:12"),
        ("conv1: 3", "this should be tensors", ":1:8"),
        ("[1, 2]", "this should be layers with their tensors", ":1:1"),
        ("conv1: {W: [1}", "not YAML", ":1:14"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path, text, message, place):
    (tmp_path / "w.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_numbers(tmp_path / "w.yaml")
    assert message in str(error.value)
    assert f"w.yaml{place}" in str(error.value)
