"""The bug catalogue: mistakes that people make in backward passes, to be planted in one layer of a network."""

from dataclasses import dataclass

from cnnbp.errors import ConfigError
from cnnbp.gradcheck.bugs.activations import ACTIVATION_BUGS
from cnnbp.gradcheck.bugs.convolution import CONVOLUTION_BUGS
from cnnbp.gradcheck.bugs.loss_bugs import LOSS_BUGS
from cnnbp.gradcheck.bugs.mistakes import Bug, LossBug
from cnnbp.gradcheck.bugs.normalization import NORMALIZATION_BUGS
from cnnbp.gradcheck.bugs.planting import broken_layer, broken_loss
from cnnbp.gradcheck.bugs.plumbing import PLUMBING_BUGS
from cnnbp.gradcheck.bugs.pooling import POOLING_BUGS
from cnnbp.gradcheck.bugs.products import PRODUCT_BUGS
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

__all__ = ["LAYER_BUGS", "LOSS", "LOSS_BUGS", "Bug", "FittingBug", "LossBug", "fitting_bugs", "plant"]


@dataclass(frozen=True)
class FittingBug:
    """A bug that can be planted in a network and shows there; `layer` is a node's name, or `loss`."""

    layer: str
    type: str
    bug: str
    story: str

    @property
    def spelling(self) -> str:
        """How it is asked for: LAYER:BUG."""
        return f"{self.layer}:{self.bug}"


def fitting_bugs(network: Network, loss: Loss) -> list[FittingBug]:
    """Return every bug that changes a gradient of the network, layer by layer."""
    outputs = network.output_shape[0]
    found = [
        FittingBug(node.name, node.layer.type, bug.name, bug.story)
        for node in network.nodes
        for bug in LAYER_BUGS
        if bug.fits(node)
    ]
    of_loss = [FittingBug(LOSS, loss.type, bug.name, bug.story) for bug in LOSS_BUGS if bug.fits(loss, outputs)]
    return [*found, *of_loss]


def plant(network: Network, loss: Loss, spelling: str) -> tuple[Network, Loss]:
    """Return the network and its loss with one bug in one of them; `spelling` is `LAYER:BUG`.

    Raises ConfigError for a bug that does not exist, does not fit there, or would not show.
    """
    layer, _, name = spelling.partition(":")
    for loss_bug in LOSS_BUGS:
        if layer == LOSS and loss_bug.name == name and loss_bug.fits(loss, network.output_shape[0]):
            return network, broken_loss(loss, loss_bug.mistake)
    for node in network.nodes:
        for bug in LAYER_BUGS:
            if node.name == layer and bug.name == name and bug.fits(node):
                return network.with_layer(node.index, broken_layer(node.layer, bug.mistake)), loss
    raise ConfigError(_no_such_bug(spelling, fitting_bugs(network, loss)))


def _no_such_bug(spelling: str, fitting: list[FittingBug]) -> str:
    """Say what is wrong with a spelling: its form, its layer, or the bug."""
    layer, colon, name = spelling.partition(":")
    layers = list(dict.fromkeys(fit.layer for fit in fitting))
    bugs = [fit.bug for fit in fitting if fit.layer == layer]
    if not colon:
        return f"no bug {spelling!r} to plant: write LAYER:BUG, as {fitting[0].spelling}"
    if not bugs:
        return f"no bug {spelling!r} to plant: no layer {layer!r} with bugs; {did_you_mean(layer, layers)}"
    if name in {*(bug.name for bug in LAYER_BUGS), *(bug.name for bug in LOSS_BUGS)}:
        return f"no bug {spelling!r} to plant: {name} does not show in {layer}; these do: {', '.join(bugs)}"
    return f"no bug {spelling!r} to plant: {did_you_mean(name, bugs)}"
