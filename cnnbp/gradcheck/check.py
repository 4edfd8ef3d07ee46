"""The gradient check of a whole network."""

from time import perf_counter

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.arguments import Argument, Parameter, Value
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.heads import LossHead
from cnnbp.gradcheck.layerwise import check_arguments, check_layers, check_loss
from cnnbp.gradcheck.results import GradcheckReport
from cnnbp.layers import PiecewiseLayer
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape


def check_network(
    network: Network, loss: Loss, params: Parameters, state: Tensors, x: Array, labels: Array, *, seed: int = 0
) -> GradcheckReport:
    """Compare the analytic gradient of the mean loss over a batch with numeric ones, in float64.

    x is (C, H, W, M), labels (M,). Dropout's mask is frozen, batch norm uses the batch's statistics.
    """
    start = perf_counter()
    params, x = params.astype(np.float64), x.astype(np.float64)
    layers = check_layers(network.nodes, params, state, x.shape[-1], seed)
    layers.append(check_loss(loss, network.output_shape[0], labels, seed))
    computation, analytic = differentiate(network, loss, params, state, x, labels)
    tensors = check_arguments(computation, analytic)
    return GradcheckReport(tuple(tensors), tuple(layers), perf_counter() - start)


def differentiate(
    network: Network, loss: Loss, params: Parameters, state: Tensors, x: Array, labels: Array
) -> tuple[Computation, dict[Argument, Array]]:
    """Run the network forward and backward; return the computation and its analytic gradients by argument."""
    tape = Tape(network, params, state, x, Arena(), keep_everything=True)
    logits = tape.forward(network.nodes)
    _, cache = loss.forward(logits, labels)
    gradient = params.layout.zeros(np.float64)
    tape.gradients[network.nodes[-1].index] = loss.backward(cache, len(labels))
    tape.backward(network.nodes, gradient)
    branches = {
        node.index: node.layer.branches(params[node.name], tape.caches[node.index], tape.context(node))
        for node in network.nodes
        if isinstance(node.layer, PiecewiseLayer)
    }
    values = {INPUT: x} | {node.index: tape.values[node.index] for node in network.nodes}
    head = LossHead(loss, labels, logits)
    computation = Computation(
        network.nodes, {node.name: params[node.name] for node in network.nodes}, state, values, branches, head
    )
    analytic: dict[Argument, Array] = {
        Parameter(node, name): gradient[node.name][name] for node in network.nodes for name in node.parameter_specs
    }
    analytic[Value("X", INPUT)] = tape.gradients[INPUT]
    return computation, analytic
