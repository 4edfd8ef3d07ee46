import json
from pathlib import Path

import pytest
import yaml

from cnnbp.config import dump_config, load_config, parse_config, require_that_it_can_be_written
from cnnbp.config.dump import yaml_word
from cnnbp.errors import ConfigError
from cnnbp.files import write_text
from cnnbp.layers import LAYERS, Dense
from tests.config.texts import changed, right
from tests.samples import label, of_one_input, spelled


def reread(config):
    return parse_config(dump_config(config), "/somewhere/else/c.yaml")


def written(layer):
    """Return a configuration with a layer after one that gives it enough channels, or features."""
    before = "flatten" if isinstance(layer, Dense) else "conv2d: {filters: 12, kernel: 1}"
    return right("- relu", f"- {before}\n  - {json.dumps(spelled(layer))}")


def fits(layer):
    try:
        return bool(written(layer))
    except ConfigError:  # too large a window for the few pixels here
        return False


@pytest.mark.parametrize("way", [way for way in of_one_input() if fits(way[0])], ids=label)
def test_every_layer_is_read_back_as_it_was(way):
    config = written(way[0])
    assert reread(config) == config
    assert type(way[0]) in {type(node.layer) for node in config.network.nodes}


def test_every_kind_of_layer_has_been_read_back():
    assert {type(layer) for layer, _ in of_one_input() if fits(layer)} == set(LAYERS)


def test_a_whole_configuration_is_read_back_as_it_was(tmp_path):
    config = right(
        "seed: 0",
        "seed: 9223372036854775807",
        "data={path: images, normalize: auto, augment: [{shift: 1}, {flip: horizontal}], background: [1, 2, 3]}",
        "train={optimizer: {sgd: {momentum: 0.9}}, schedule: {step: {every: 3}}, early_stopping: {}, clip_norm: 1e-9}",
        "layers.1={residual: {name: r, layers: [relu, {batchnorm: }], shortcut: [tanh]}}",
        "loss={cross_entropy: {class_weights: balanced}}",
    )
    assert reread(config) == config
    assert reread(config).network.nodes == config.network.nodes


def test_every_option_is_written_out_so_that_defaults_may_change():
    text = dump_config(right())
    assert "- conv2d: {filters: 4, kernel: 3, stride: 1, pad: 0, dilation: 1, groups: 1, bias: true}\n" in text
    assert "- relu\n" in text
    assert "    adam: {lr: 0.001, weight_decay: 0.0, beta1: 0.9, beta2: 0.999, eps: 1.0e-08}\n" in text


def test_overrides_are_part_of_what_is_written():
    assert reread(right("", "", "train.epochs=77")).train.epochs == 77


def test_the_data_folder_is_found_from_anywhere(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(changed("seed: 0", "data: {path: images}"))
    assert reread(load_config(file)).data.path == tmp_path / "images"


@pytest.mark.parametrize(
    "name", ["1e-3", "010", "0o7", "yes", "null", "1_000", "-", "---", "12", "0x1F", "é名", "9" * 40]
)
def test_names_that_look_like_something_else_stay_names(name):
    config = right("- relu", f"- relu: {{name: '{name}'}}")
    assert reread(config).layers[1].name == name


@pytest.mark.parametrize(
    "folder",
    [
        "a b",
        "a: b",
        "a #b",
        "'",
        '"',
        "\\",
        "{a}",
        "*a",
        "!a",
        "a\nb",
        "a\x1bb",
        "a\x85b",
        "a\u2028b\u2029",
        "\ufeffa\r",
        "np\udcff\udcfe",
        "file:",
        "ünï",
        "名",
        "𝒙",
        "- a",
        "%",
        "~",
        "1e3",
    ],
)
def test_any_folder_name_is_read_back(folder, tmp_path):
    config = right().with_data(tmp_path / folder)
    assert reread(config) == config
    config_file = tmp_path / "c.yaml"
    write_text(config_file, dump_config(config))
    assert load_config(config_file) == config


def test_a_word_is_quoted_where_it_must_be():
    for word in ("a: b", "1e3", "a\x85b", "- a", "~"):
        assert yaml.safe_load(f"[{yaml_word(word)}]") == [word]


def test_a_folder_that_is_reached_by_a_link_keeps_its_name(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    config = right().with_data(tmp_path / "link")
    assert reread(config) == config


def test_what_would_not_be_read_back_is_refused():
    config = right()
    require_that_it_can_be_written(config)
    odd = config.model_copy(update={"data": config.with_data(Path()).data.model_copy(update={"cache": 2**63})})
    with pytest.raises(ConfigError, match=r"(?s)cannot be written down.*too large"):
        require_that_it_can_be_written(odd)
    changed = config.model_copy(update={"data": odd.data.model_copy(update={"cache": 1, "path": Path("relative")})})
    with pytest.raises(ConfigError, match=r"cannot be written down: data would be read as another"):
        require_that_it_can_be_written(changed)


def test_what_is_written_is_the_same_each_time():
    assert dump_config(reread(right())) == dump_config(right())
