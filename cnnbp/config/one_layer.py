"""One layer without a network around it, as an option of the command line spells it."""

from pydantic import Field, ValidationError

from cnnbp.config.messages import problems_of
from cnnbp.config.models import Section
from cnnbp.config.problems import Problem, refusal
from cnnbp.config.tree import Entry, YamlValue
from cnnbp.config.yaml_text import TextError, read_yaml, source_of
from cnnbp.errors import ConfigError
from cnnbp.layers import Layer, LayerSpec


class _OneLayer(Section):
    layer: LayerSpec = Field(description="The layer.")


def parse_layer(text: str, source: str) -> Layer:
    """Read YAML as `conv2d: {filters: 4, kernel: 3}`. Raises ConfigError with every problem at its place."""
    problems: list[Problem] = []
    try:
        written = read_yaml(text, source_of(text, source, is_file=False), problems)
    except TextError as error:
        raise refusal([*problems, error.problem]) from error
    root = YamlValue(written.mark, {"layer": Entry(written.mark, written)})
    try:
        layer = _OneLayer.model_validate(root.plain(), strict=True).layer
    except ValidationError as error:
        problems += problems_of(error, root, _OneLayer)
    if problems:
        raise refusal(problems)
    if not isinstance(layer, Layer):
        raise ConfigError(f"{source}: a {layer.type} block is several layers; name one of them")
    return layer.model_copy(update={"name": layer.type}) if layer.name is None else layer
