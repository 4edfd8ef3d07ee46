"""Layers that a configuration imports: what they may be called, how they are read, and what goes wrong with them."""

import json
import os
import sys

import jsonschema
import numpy as np
import pytest

from cnnbp.config import (
    carried,
    dump_config,
    json_schema,
    load_config,
    parse_config,
    read_plain,
    require_own_layers_to_work,
    require_that_it_can_be_written,
)
from cnnbp.errors import ConfigError
from cnnbp.gradcheck import check_network
from cnnbp.inspect.images import random_images

SWISH = '''"""One layer."""
import numpy as np
from pydantic import Field

from cnnbp.layers import Layer


class Swish(Layer):
    """y = x·σ(βx)."""

    type = "swish"
    beta: float = Field(default=1.0, gt=0, description="How steep it is.")

    def forward(self, params, x, ctx):
        s = 1 / (1 + np.exp(-self.beta * x))
        return x * s, (x, s)

    def backward(self, params, cache, dy, ctx):
        x, s = cache
        return dy * (s + self.beta * x * s * (1 - s)), {}
'''
CONFIG = """import: [layers.py]
input: {channels: 1, height: 6, width: 6}
layers:
  - conv2d: {filters: 2, kernel: 3}
  - swish: {beta: 1.5}
  - residual: {layers: [swish]}
  - flatten
  - dense: {units: 2}
loss: cross_entropy
"""


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, SWISH)


def write(folder, source, config=CONFIG, name="layers.py"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(source, encoding="utf-8")
    (folder / "c.yaml").write_text(config, encoding="utf-8")
    return folder


def loaded(folder, *overrides):
    return load_config(folder / "c.yaml", overrides, may_import=True)


def refusal(folder, *overrides):
    with pytest.raises(ConfigError) as caught:
        loaded(folder, *overrides)
    return str(caught.value)


def test_an_imported_layer_is_one_like_others_in_a_block_too(folder):
    config = loaded(folder, "layers.1.beta=2")
    swish, inner = config.network.nodes[1].layer, config.network.nodes[2].layer
    assert (swish.type, swish.beta, swish.name) == ("swish", 2.0, "swish1")
    assert (type(inner), inner.beta) == (type(swish), 1.0)
    batch = random_images(config, 3)
    params, state = config.network.initial_parameters(0), config.network.initial_state()
    assert check_network(config.network, config.loss, params, state, batch.x, batch.labels).verdict == "pass"


def test_what_is_wrong_with_its_options_is_told_at_its_place(folder):
    text = CONFIG.replace("beta: 1.5", "beta: -1").replace("layers: [swish]", "layers: [swich]")
    said = refusal(write(folder, SWISH, text.replace("- flatten", "- swish: {gamma: 1}\n  - flatten")))
    assert "c.yaml:5:19\n" in said
    assert "beta must be above 0, not -1" in said
    assert 'unknown layer "swich"' in said
    assert 'did you mean "swish"?' in said
    assert 'unknown option "gamma" for swish' in said
    assert 'unknown option "bet" for swish' in refusal(write(folder, SWISH), "layers.1.bet=3")


def test_the_configuration_written_down_is_read_back_with_the_same_layers(folder):
    config = loaded(folder)
    require_that_it_can_be_written(config)
    again = parse_config(dump_config(config), "again", find_code=carried(config.code))
    assert again == config
    assert again.network.nodes[1].layer == config.network.nodes[1].layer
    assert [code.name for code in config.code] == ["layers.py"]


def test_a_file_is_imported_from_the_yamls_folder_and_an_override_from_the_working_directory(folder, monkeypatch):
    other = write(folder / "sub", SWISH.replace("1.0, gt=0", "7.0, gt=0"))
    monkeypatch.chdir(other)
    assert loaded(folder).network.nodes[2].layer.beta == 1.0
    assert loaded(folder, "import=[layers.py]").network.nodes[2].layer.beta == 7.0


def test_a_module_is_imported_by_its_name(folder, monkeypatch):
    package = folder / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("BETA = 4.0\n")
    (package / "swishes.py").write_text(
        SWISH.replace("default=1.0", "default=BETA").replace(
            "import numpy", "from mine.parts import BETA\nimport numpy"
        )
    )
    monkeypatch.syspath_prepend(folder)
    config = loaded(write(folder, "", CONFIG.replace("layers.py", "mine.swishes")))
    assert config.network.nodes[2].layer.beta == 4.0
    (package / "swishes.py").write_text(SWISH)
    with pytest.raises(ConfigError, match=r"'mine\.swishes' is another one than the network"):
        parse_config(dump_config(config), "again", find_code=carried(config.code))
    for name in ("mine.swishes", "mine.parts", "mine"):
        monkeypatch.delitem(sys.modules, name)


def test_nothing_is_imported_but_for_a_file_that_the_user_names(folder):
    marker = folder / "ran"
    write(folder, f"open({str(marker)!r}, 'w').close()\n" + SWISH)
    with pytest.raises(ConfigError, match=r"'layers\.py' is Python code: it is run only for"):
        load_config(folder / "c.yaml")
    with pytest.raises(ConfigError, match=r"'layers\.py' is Python code"):
        parse_config(CONFIG, str(folder / "c.yaml"))
    with pytest.raises(ConfigError, match=r"'layers\.py' is not among the imported files that belong to it: none"):
        parse_config(CONFIG, str(folder / "c.yaml"), find_code=carried(()))
    assert read_plain(folder / "c.yaml")["import"] == ("layers.py",)
    assert not marker.exists()
    loaded(folder)
    assert marker.exists()


def test_one_file_is_run_once_and_what_it_prints_is_no_result(folder, capsys):
    write(folder, SWISH + "print('hello')\n")
    first, second = loaded(folder), loaded(folder)
    assert type(first.network.nodes[1].layer) is type(second.network.nodes[1].layer)
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = = 1\n", "layers.py, line 1: invalid syntax\n    x = = 1"),
        ("\n\nnq.zeros(3)\n", "layers.py, line 3: NameError: name 'nq' is not defined\n    nq.zeros(3)"),
        ("import sys\nsys.exit(3)\n", "layers.py, line 2: SystemExit: 3"),
        ("import numpy\n", "layers.py defines no layer: a class that derives from cnnbp.layers.Layer"),
        ("from cnnbp.layers import ReLU\n", "layers.py defines no layer"),
        (SWISH.replace('"swish"', '"relu"'), "layers.py: Swish has the type 'relu', as cnnbp's own layer"),
        (SWISH.replace('"swish"', '"add"'), "layers.py: Swish has the type 'add', as cnnbp's own layer"),
        (SWISH.replace('type = "swish"', "kind = 1"), "layers.py, line"),
        (SWISH.replace('type = "swish"', 'type = "a b"'), "layers.py: Swish needs a `type`"),
        ("import helpers\n" + SWISH, "layers.py, line 1: ModuleNotFoundError: No module named 'helpers'"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line_at_the_entry_that_imports_it(tmp_path, source, said):
    (tmp_path / "helpers.py").write_text("")  # beside it: not on Python's path
    found = refusal(write(tmp_path, source))
    assert found.startswith(said)
    assert f"{tmp_path}/c.yaml:1:10" in found
    assert "unknown layer" not in found
    assert "Traceback" not in found


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("[nowhere.py]", "cannot read"),
        ("[no.such]", "cannot import no.such: ModuleNotFoundError"),
        ("[numpy.linalg._umath_linalg]", "there is no module 'numpy.linalg._umath_linalg' in Python"),
        ("['a b']", "'a b' is neither a .py file nor the name of a module"),
        ("[c.yaml]", "cannot import c.yaml"),
        ("layers.py", 'import must be a list of Python files and modules, not "layers.py"'),
        ("[1]", "import must be a list of Python files and modules, not a list"),
        ("[layers.py, sub/layers.py]", "two imported files are called layers.py"),
        ("[layers.py, more.py]", "two imported files define a layer 'swish', more.py is the second"),
        ("[pipe.py]", "it is no regular file"),
    ],
)
def test_what_cannot_be_imported_is_told_at_its_entry(folder, entries, said):
    write(folder / "sub", SWISH + "#\n")
    (folder / "more.py").write_text(SWISH + "# another\n")
    os.mkfifo(folder / "pipe.py")
    found = refusal(write(folder, SWISH, CONFIG.replace("[layers.py]", entries)))
    assert said in found
    assert f"{folder}/c.yaml:1:" in found


def test_what_a_layer_raises_is_told_with_its_line_but_not_what_it_says_of_complex_numbers(folder):
    write(folder, SWISH.replace("        x, s = cache\n", "        x, s = cache\n        cache[2]\n"))
    with pytest.raises(ConfigError, match=r"layers\.py, line 20, in Swish\.backward: IndexError: tuple index out of"):
        require_own_layers_to_work(loaded(folder))
    write(folder, SWISH.replace("        s = 1", "        np.floor(x)\n        s = 1"))
    layer = loaded(folder).network.nodes[1].layer
    with pytest.raises(TypeError):
        layer.forward({}, np.ones((1, 2), complex), None)


OF_SHAPE = "Swish.output_shape returns {}, it must return a tuple of sizes"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("return x * s, (x, s)", "return x * s", "Swish.forward returns one ndarray, it must return y and the cache"),
        ("return x * s, (x, s)", "pass", "Swish.forward returns nothing"),
        ("(1 - s)), {}", "(1 - s))", "Swish.backward returns one ndarray, it must return ∂L/∂x, and a dict"),
        ("return x * s, (x, s)", "return (x * s)[:1], (x, s)", "forward's y has shape 1×4×4×2, it should be 2×4×4×2"),
        (
            "return dy * (s",
            "return dy[:1], {}\n        return dy * (s",
            "backward's ∂L/∂x has shape 1×4×4×2, it should be 2×4×4×2",
        ),
        ("(1 - s)), {}", "(1 - s)), {'W': x}", "backward gives gradients for W, its parameters are none"),
        ("(1 - s)), {}", "(1 - s)), None", "backward gives gradients for NoneType, its parameters are none"),
        (
            "return dy * (",
            "return None, {}\n        return dy * (",
            "backward's ∂L/∂x is NoneType, it should be an array",
        ),
        ("def forward(", "def forwards(", "layers.py: Swish has no forward; it must return y and the cache"),
        ("def backward(", "def backwards(", "layers.py: Swish has no backward; it must return ∂L/∂x, and a dict"),
        (
            "    def forward(",
            "    def output_shape(self, x):\n        return 'no'\n\n    def forward(",
            OF_SHAPE.format("'no'"),
        ),
        (
            "    def forward(",
            "    def output_shape(self, x):\n        return x[0], -1\n\n    def forward(",
            OF_SHAPE.format("(2, -1)"),
        ),
    ],
)
def test_what_a_layer_returns_of_another_kind_or_shape_is_told_before_training(folder, before, after, said):
    assert before in SWISH
    with pytest.raises(ConfigError) as caught:
        require_own_layers_to_work(loaded(write(folder, SWISH.replace(before, after))))
    assert said in str(caught.value)


def test_what_a_layer_does_not_promise_is_not_assumed(folder):
    layer = type(loaded(folder).network.nodes[1].layer)
    assert (layer.caches_output, layer.output_is_view) == (True, True)
    write(folder, SWISH.replace('    type = "swish"', '    type = "swish"\n    caches_output = False'))
    assert type(loaded(folder).network.nodes[1].layer).caches_output is False


def test_the_schema_knows_imported_layers_where_it_is_given_them(folder):
    code = loaded(folder).code
    document = {**json.loads(json.dumps(read_plain(folder / "c.yaml")))}
    jsonschema.Draft202012Validator(json_schema(code)).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(document)
    document["layers"][1] = {"swish": {"beta": -1}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema(code)).validate(document)
