"""A whole network at one point: claims about ∂L/∂θ of every parameter and ∂L/∂X."""

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.arguments import Parameter, Value
from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.heads import LossHead
from cnnbp.layers import PiecewiseLayer
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape


def network_claims(
    network: Network, loss: Loss, params: Parameters, state: Tensors, x: Array, labels: Array
) -> list[LayerClaim]:
    """Run the network forward and backward in training on x (C, H, W, M), labels (M,); return what backward claims."""
    tape = Tape(network, params, state, x, Arena(), keep_everything=True)
    logits = tape.forward(network.nodes)
    _, cache = loss.forward(logits, labels)
    gradient = params.layout.zeros(params.vector.dtype)
    tape.gradients[network.nodes[-1].index] = loss.backward(cache, len(labels))
    tape.backward(network.nodes, gradient)
    computation = Computation(
        network.nodes,
        {node.name: params[node.name] for node in network.nodes},
        state,
        {INPUT: x} | {node.index: tape.values[node.index] for node in network.nodes},
        _branches(tape),
        LossHead(loss, labels, logits),
    )
    claims = [
        LayerClaim(Parameter(computation, node, name), gradient[node.name][name])
        for node in network.nodes
        for name in node.parameter_specs
    ]
    return [*claims, LayerClaim(Value("X", computation, INPUT), tape.gradients[INPUT])]


def _branches(tape: Tape) -> dict[int, Array]:
    return {
        node.index: node.layer.branches(tape.params[node.name], tape.caches[node.index], tape.context(node))
        for node in tape.network.nodes
        if isinstance(node.layer, PiecewiseLayer)
    }
