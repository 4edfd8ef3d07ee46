"""Check each layer alone: every entry of ∂⟨g, F(x, θ)⟩ for a random upstream gradient g, and the loss by its logits."""

from collections.abc import Mapping

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.arguments import Argument, Parameter, Value
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.heads import InnerProductHead, LossHead
from cnnbp.gradcheck.numeric import Probe, step_size
from cnnbp.gradcheck.results import LayerResult, TensorResult, summarize
from cnnbp.gradcheck.verdicts import compare
from cnnbp.layers import Context, PiecewiseLayer
from cnnbp.layers.base import Params
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Node
from cnnbp.parameters import Parameters, Tensors


def check_node(
    node: Node, params: Params, state: Tensors, xs: tuple[Array, ...], upstream: Array
) -> list[TensorResult]:
    """Check one node at the inputs xs, each (…, M), with ∂L/∂y = upstream."""
    ctx = Context(training=True, state=state.get(node.name, {}), stream=(0, 0, node.index, 0))
    y, cache = node.layer.forward(params, xs[0] if len(xs) == 1 else xs, ctx)
    dx, gradients = node.layer.backward(params, cache, upstream, ctx)
    inputs = tuple(range(-len(xs), 0))
    moved = Node(0, node.layer, inputs, node.input_shapes, node.output_shape)
    branches = {0: node.layer.branches(params, cache, ctx)} if isinstance(node.layer, PiecewiseLayer) else {}
    values = {**dict(zip(inputs, xs, strict=True)), 0: y}
    computation = Computation((moved,), {node.name: params}, state, values, branches, InnerProductHead(upstream, y))
    dxs = (dx,) if len(xs) == 1 else dx
    analytic: dict[Argument, Array] = {Parameter(moved, name): array for name, array in gradients.items()}
    names = ("x",) if len(xs) == 1 else ("x1", "x2")
    analytic |= {Value(name, i): array for name, i, array in zip(names, inputs, dxs, strict=True)}
    return check_arguments(computation, analytic)


def check_arguments(computation: Computation, analytic: Mapping[Argument, Array]) -> list[TensorResult]:
    """Compare each analytic gradient with the computation's numeric one."""
    results = []
    for argument, gradient in analytic.items():
        theta = argument.at(computation)
        probe = Probe(computation, argument, Arena())
        comparison = compare(probe, gradient, np.arange(theta.size), step_size(theta))
        results.append(summarize(argument.name, theta.shape, comparison))
    return results


def check_layers(nodes: tuple[Node, ...], params: Parameters, state: Tensors, M: int, seed: int) -> list[LayerResult]:
    """Check every node on random numbers."""
    results = []
    for node in nodes:
        rng = np.random.default_rng([seed, node.index])
        xs = tuple(rng.normal(size=(*shape, M)) for shape in node.input_shapes)
        upstream = rng.normal(size=(*node.output_shape, M))
        results.append(
            LayerResult(node.name, node.layer.type, tuple(check_node(node, params[node.name], state, xs, upstream)))
        )
    return results


def check_loss(loss: Loss, outputs: int, labels: Array, seed: int) -> LayerResult:
    """Check the gradient of the mean loss by the logits."""
    M = len(labels)
    logits = 2 * np.random.default_rng([seed]).normal(size=(outputs, M))
    _, cache = loss.forward(logits, labels)
    computation = Computation((), {}, {}, {INPUT: logits}, {}, LossHead(loss, labels, logits))
    results = check_arguments(computation, {Value("logits", INPUT): loss.backward(cache, M)})
    return LayerResult("loss", loss.type, tuple(results))
