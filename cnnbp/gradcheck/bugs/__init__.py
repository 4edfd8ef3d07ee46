"""The bug catalogue: mistakes in backward passes, in the code that makes them fast and in the engine, to be planted."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cnnbp.errors import ConfigError
from cnnbp.gradcheck.as_trained import Training
from cnnbp.gradcheck.bugs.activations import ACTIVATION_BUGS
from cnnbp.gradcheck.bugs.convolution import CONVOLUTION_BUGS
from cnnbp.gradcheck.bugs.engine_bugs import ENGINE_BUGS, EngineBug, broken_engine
from cnnbp.gradcheck.bugs.fast_bugs import FAST_BUGS
from cnnbp.gradcheck.bugs.loss_bugs import LOSS_BUGS
from cnnbp.gradcheck.bugs.mistakes import Bug, LossBug
from cnnbp.gradcheck.bugs.normalization import NORMALIZATION_BUGS
from cnnbp.gradcheck.bugs.planting import broken_layer, broken_loss
from cnnbp.gradcheck.bugs.plumbing import PLUMBING_BUGS
from cnnbp.gradcheck.bugs.pooling import POOLING_BUGS
from cnnbp.gradcheck.bugs.products import PRODUCT_BUGS
from cnnbp.gradcheck.bugs.replacing import FastBug, broken_planner
from cnnbp.gradcheck.whole_step import ENGINE
from cnnbp.losses import Loss
from cnnbp.names import did_you_mean
from cnnbp.network import Network

LAYER_BUGS: tuple[Bug, ...] = (
    *CONVOLUTION_BUGS,
    *PRODUCT_BUGS,
    *PLUMBING_BUGS,
    *ACTIVATION_BUGS,
    *POOLING_BUGS,
    *NORMALIZATION_BUGS,
)
LOSS = "loss"  # what stands for the loss where a layer is named

__all__ = [
    "ENGINE_BUGS",
    "FAST_BUGS",
    "LAYER_BUGS",
    "LOSS",
    "LOSS_BUGS",
    "Bug",
    "EngineBug",
    "FastBug",
    "FittingBug",
    "LossBug",
    "fitting_bugs",
    "plant",
    "plant_in_training",
]


@dataclass(frozen=True)
class FittingBug:
    """A bug that can be planted in a network and shows there; `layer` is a node's name, `loss` or `engine`."""

    layer: str
    type: str
    bug: str
    story: str

    @property
    def spelling(self) -> str:
        """How it is asked for: LAYER:BUG."""
        return f"{self.layer}:{self.bug}"


def fitting_bugs(network: Network, loss: Loss, training: Training | None = None) -> list[FittingBug]:
    """Return every bug that changes a gradient of the network, layer by layer, and those in how it would be trained."""
    outputs = network.output_shape[0]
    found = [
        FittingBug(node.name, node.layer.type, bug.name, bug.story)
        for node in network.nodes
        for bug in LAYER_BUGS
        if bug.fits(node)
    ]
    of_loss = [FittingBug(LOSS, loss.type, bug.name, bug.story) for bug in LOSS_BUGS if bug.fits(loss, outputs)]
    return [*found, *of_loss, *(_fitting_training(network, training) if training else ())]


def _fitting_training(network: Network, training: Training) -> Iterator[FittingBug]:
    for operation in training.plan(network).operations:
        for bug in FAST_BUGS:
            if operation.kernel and bug.fits(operation):
                yield FittingBug(operation.owner.name, operation.kernel, bug.name, bug.story)
    for engine_bug in ENGINE_BUGS:
        if engine_bug.shows(network, training):
            yield FittingBug(ENGINE, ENGINE, engine_bug.name, engine_bug.story)


def plant_in_training(network: Network, training: Training, spelling: str) -> Training | None:
    """Return how training would go with one bug in its fast code or its engine; None where it is no bug of these."""
    layer, _, name = spelling.partition(":")
    if not any((fit.layer, fit.bug) == (layer, name) for fit in _fitting_training(network, training)):
        return None
    if layer == ENGINE:
        [engine_bug] = [bug for bug in ENGINE_BUGS if bug.name == name]
        return replace(training, engine=broken_engine(engine_bug.mistake))
    [bug] = [bug for bug in FAST_BUGS if bug.name == name]
    return replace(training, planner=broken_planner(training.planner, layer, bug))


def plant(network: Network, loss: Loss, spelling: str, training: Training | None = None) -> tuple[Network, Loss]:
    """Return the network and its loss with one bug in one of them; `spelling` is `LAYER:BUG`.

    Raises ConfigError for a bug that does not exist, does not fit there, or would not show. `training` is for those
    bugs that could have been meant.
    """
    layer, _, name = spelling.partition(":")
    for loss_bug in LOSS_BUGS:
        if layer == LOSS and loss_bug.name == name and loss_bug.fits(loss, network.output_shape[0]):
            return network, broken_loss(loss, loss_bug.mistake)
    for node in network.nodes:
        for bug in LAYER_BUGS:
            if node.name == layer and bug.name == name and bug.fits(node):
                return network.with_layer(node.index, broken_layer(node.layer, bug.mistake)), loss
    raise ConfigError(_no_such_bug(spelling, fitting_bugs(network, loss, training)))


def _no_such_bug(spelling: str, fitting: list[FittingBug]) -> str:
    """Say what is wrong with a spelling: its form, its layer, or the bug."""
    layer, colon, name = spelling.partition(":")
    layers = list(dict.fromkeys(fit.layer for fit in fitting))
    bugs = [fit.bug for fit in fitting if fit.layer == layer]
    if not colon:
        return f"no bug {spelling!r} to plant: write LAYER:BUG, as {fitting[0].spelling}"
    if not bugs:
        return f"no bug {spelling!r} to plant: no layer {layer!r} with bugs; {did_you_mean(layer, layers)}"
    if any(name == bug.name for bugs in (LAYER_BUGS, LOSS_BUGS, FAST_BUGS, ENGINE_BUGS) for bug in bugs):
        return f"no bug {spelling!r} to plant: {name} does not show in {layer}; these do: {', '.join(bugs)}"
    return f"no bug {spelling!r} to plant: {did_you_mean(name, bugs)}"
