"""What no single option can know: the network's shapes, its last layer, and the classes of the folder."""

from collections.abc import Iterator, Sequence

from cnnbp.arrays import format_shape
from cnnbp.config.messages import find
from cnnbp.config.models import Config
from cnnbp.config.problems import Problem, refuse
from cnnbp.config.yaml_text import Node
from cnnbp.errors import ConfigError, ShapeError
from cnnbp.layers import Sigmoid
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy


def network_problems(config: Config, root: Node) -> Iterator[Problem]:
    """Yield what is wrong with the network, its last layer and what belongs to them."""
    try:
        network = config.network
    except ShapeError as error:
        yield Problem(str(error), find(root, error.path).key)
        return
    last = network.nodes[-1]
    message = _wrong_end(config)
    if message:
        yield Problem(message, find(root, last.path).key)


def _wrong_end(config: Config) -> str | None:
    """Return why the last layers do not suit the loss, None if they do."""
    network, loss = config.network, config.loss
    last = network.nodes[-1]
    takes_logits = isinstance(loss, BinaryCrossEntropy | CrossEntropy)
    if takes_logits and isinstance(last.layer, Sigmoid):
        return (
            f'sigmoid "{last.name}" before {loss.type}: the loss takes logits and applies its own'
            f" {'sigmoid' if isinstance(loss, BinaryCrossEntropy) else 'softmax'}, which is stable; leave the layer out"
        )
    if len(network.output_shape) != 1:
        return (
            f'{loss.type} needs flat outputs; "{last.name}" gives {format_shape(network.output_shape, "M")}:'
            " end in flatten or dense"
        )
    outputs = network.output_shape[0]
    if isinstance(loss, BinaryCrossEntropy) and outputs != 1:
        return f'binary_cross_entropy needs 1 output; "{last.name}" gives {outputs}'
    if isinstance(loss, CrossEntropy) and outputs < 2:
        return f'cross_entropy needs an output for each of 2 or more classes; "{last.name}" gives {outputs}'
    return None


def check_against_classes(config: Config, classes: Sequence[str]) -> None:
    """Compare the last layer with the classes of the folder. Raises ConfigError."""
    network, loss = config.network, config.loss
    last, outputs = network.nodes[-1], network.output_shape[0]
    where = f" ({config.data.path})" if config.data and config.data.path else ""
    over = f"{loss.type} over {len(classes)} class{'es' * (len(classes) != 1)}{where}"
    if len(classes) < 2:
        message = f"{over}: there is nothing to tell apart; at least 2 class folders are needed"
    elif isinstance(loss, BinaryCrossEntropy) and len(classes) != 2:
        message = f"{over}: it is for 2 classes; use cross_entropy with {len(classes)} outputs"
    elif (needed := loss.outputs(len(classes))) != outputs:
        message = f'{over} needs {needed} output{"s" * (needed != 1)}; "{last.name}" gives {outputs}'
    else:
        return
    root = config._origin.root
    raise refuse([Problem(message, find(root, last.path).key)]) if root else ConfigError(message)
