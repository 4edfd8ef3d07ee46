"""What no single option can know: whether the shapes fit, and whether the last layer suits the loss and the classes."""

from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path

from cnnbp.arrays import format_shape
from cnnbp.config.models import Config
from cnnbp.config.problems import Mark, Problem, escaped, refusal
from cnnbp.config.tree import Key, Location, YamlValue, culprit, find
from cnnbp.errors import ConfigError, ShapeError
from cnnbp.layers.activations import Sigmoid
from cnnbp.layers.reshape import Flatten
from cnnbp.layers.residual import Residual
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy
from cnnbp.names import did_you_mean

LARGEST_TENSOR = 10**10  # numbers: 40 GB in float32


def shape_problems(config: Config, root: YamlValue) -> Iterator[Problem]:
    """Yield the first layer that does not fit its input, or what is too large to exist."""
    try:
        network = config.network
    except ShapeError as error:
        yield Problem(str(error), _mark_of(error.path, root))
        return
    for node in network.nodes:
        shapes = [node.output_shape, *(spec.shape for spec in node.parameter_specs.values())]
        largest = max(shapes, key=prod)
        if prod(largest) > LARGEST_TENSOR:
            message = f'"{node.name}" needs a tensor of {format_shape(largest)} numbers, more than memory can hold'
            yield Problem(message, _mark_of(node.path, root))
            return


def loss_problems(config: Config, root: YamlValue) -> Iterator[Problem]:
    """Yield what the loss cannot work with, for a network whose shapes fit."""
    message = _activation_before_loss(config) or _unsuitable_outputs(config)
    if message:
        yield Problem(message, _mark_of(config.network.nodes[-1].path, root))
    elif message := _unsuitable_weights(config):
        yield Problem(message, find(root, ("loss", config.loss.type, "class_weights")).key)


def freeze_problems(config: Config, root: YamlValue) -> Iterator[Problem]:
    """Yield the names in `train.freeze` of which there is no layer, and that nothing is left to train."""
    network, frozen = config.network, config.train.freeze
    names = [node.name for node in network.nodes]
    for position, name in enumerate(frozen):
        if name not in names:
            message = f'no layer is called "{name}": {did_you_mean(name, names)}'
            yield Problem(message, find(root, ("train", "freeze", position)).node.mark)
    trained = {node.name for node in network.nodes if node.parameter_specs} - {n.name for n in network.parts(frozen)}
    if frozen and not trained:
        yield Problem(
            "every layer with parameters is frozen: nothing is left to train", find(root, ("train", "freeze")).key
        )


def require_suitable_outputs(config: Config) -> None:
    """Hold a configuration that was made in Python to what is asked of a file: the loss must suit the last layer.

    Raises ConfigError; ShapeError where the layers do not fit each other.
    """
    message = _activation_before_loss(config) or _unsuitable_outputs(config) or _unsuitable_weights(config)
    if message:
        raise ConfigError(message)


def data_problems(config: Config, root: YamlValue) -> Iterator[Problem]:
    """Yield channel lists of the wrong length."""
    normalize = config.data.normalize if config.data else "auto"
    if normalize == "auto":
        return
    for name in ("mean", "std"):
        values = getattr(normalize, name)
        if isinstance(values, tuple) and len(values) != config.input.channels:
            message = f"{name} has {len(values)} numbers for {config.input.channels} channels"
            yield Problem(message, find(root, ("data", "normalize", name)).key)


def check_against_classes(config: Config, classes: Sequence[str]) -> None:
    """Compare the last layer with the classes of the folder. Raises ConfigError."""
    message = _unsuitable_classes(config, len(classes))
    if message is None:
        return
    root, last = config._origin.root, config.network.nodes[-1]
    raise refusal([Problem(message, _mark_of(last.path, root))]) if root else ConfigError(message)


def _mark_of(layer: Location, root: YamlValue) -> Mark:
    """Return where a layer stands, given its path in the network, which leaves out the word `residual`."""
    first, *inner = layer
    return culprit(root, (first, *(step for each in inner for step in _spelled_out(each))))


def _spelled_out(step: Key) -> Location:
    return (Residual.type, step) if isinstance(step, str) else (step,)


def _activation_before_loss(config: Config) -> str | None:
    computing = [node for node in config.network.nodes if not isinstance(node.layer, Flatten)]
    if not computing or not isinstance(computing[-1].layer, Sigmoid):
        return None
    if not isinstance(config.loss, BinaryCrossEntropy | CrossEntropy):
        return None
    own = "sigmoid" if isinstance(config.loss, BinaryCrossEntropy) else "softmax"
    return (
        f'sigmoid "{computing[-1].name}" stands right before {config.loss.type}, which takes logits and applies {own}'
        " itself (stable where σ is 0 or 1 to the last bit): leave the layer out"
    )


def _unsuitable_outputs(config: Config) -> str | None:
    shape, loss, name = config.network.output_shape, config.loss, config.network.nodes[-1].name
    if len(shape) != 1:
        return f'{loss.type} needs flat outputs; "{name}" gives {format_shape(shape, "M")}: end in flatten and dense'
    if isinstance(loss, BinaryCrossEntropy) and shape != (1,):
        return f'binary_cross_entropy needs 1 output; "{name}" gives {shape[0]}'
    if isinstance(loss, CrossEntropy) and shape == (1,):
        return f'cross_entropy needs an output for each class; "{name}" gives 1 (for two classes: binary_cross_entropy)'
    return None


def _unsuitable_weights(config: Config) -> str | None:
    loss = config.loss
    classes = 2 if isinstance(loss, BinaryCrossEntropy) else config.network.output_shape[0]
    if not isinstance(loss.class_weights, tuple) or len(loss.class_weights) == classes:
        return None
    return f"class_weights has {len(loss.class_weights)} numbers for {classes} classes"


def _unsuitable_classes(config: Config, classes: int) -> str | None:
    loss, outputs = config.loss, config.network.output_shape[0]
    path = config.data.path if config.data else None
    over = f"{loss.type} over {classes} class{'es' * (classes != 1)}" + (f" ({_brief(path)})" if path else "")
    if classes < 2:
        return f"{over}: there is nothing to tell apart; at least 2 class folders are needed"
    if isinstance(loss, BinaryCrossEntropy) and classes != 2:
        return f"{over}: it is for 2 classes; use cross_entropy and {classes} outputs"
    needed = loss.outputs(classes)
    if needed != outputs:
        last = config.network.nodes[-1].name
        return f'{over} needs {needed} output{"s" * (needed != 1)}; "{last}" gives {outputs}'
    return None


def _brief(path: Path) -> str:
    """Return a folder as it is seen from the working directory, if it lies inside."""
    here = Path.cwd()
    return escaped(str(path.relative_to(here) if path.is_relative_to(here) else path))
