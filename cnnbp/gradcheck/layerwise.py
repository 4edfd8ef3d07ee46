"""Each layer alone: claims about ∂⟨g, F(x, θ)⟩ for a random upstream gradient g, and about the loss by its logits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from operator import ne

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.gradcheck.arguments import Argument, Parameter, Value
from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.diagnosis import AnyTrial, LossTrial, Trial
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.layers import input_names, pair_of, tells_its_pieces
from cnnbp.gradcheck.foreign.observation import observe as observe_pair
from cnnbp.gradcheck.heads import InnerProductHead, LossHead
from cnnbp.gradcheck.identities import broken_conventions, broken_layer_identities
from cnnbp.gradcheck.preflight import loss_problems, observe
from cnnbp.gradcheck.rounding import Amplification
from cnnbp.layers import Context, Layer, PiecewiseLayer
from cnnbp.layers.base import Params
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Node
from cnnbp.parameters import Tensors

IMAGES = 5  # in a batch for a layer alone; no kernel or pool is likely to be this number, so a stray 1/M shows as such
LARGEST_INTEGER = 2
WINDOWS = 5  # that a cropped map has room for beside the first, each way


@dataclass(frozen=True)
class LayerCase:
    """What one layer (or the loss) claims on some inputs, and what it did that it must not."""

    name: str
    type: str
    claims: tuple[LayerClaim | PairClaim, ...]
    problems: tuple[str, ...]
    trial: AnyTrial | None = None  # to try things with; None where backward is no function
    fits: bool = True  # whether there is a gradient for every tensor, of its shape
    where: str = ""  # the layer is called in another way than usual
    notes: tuple[str, ...] = ()


def layer_cases(node: Node, params: Params, state: Tensors, seed: int) -> Iterator[LayerCase]:
    """Yield a node's claims on noise, with jittered parameters, and on small integers, which bring ties.

    Maps of cnnbp's own layers are cropped; those of others may have reasons for their sides.
    """
    crops = tells_its_pieces(node)
    rng = np.random.default_rng([seed, node.index])
    cropped = resized(node, cropped_shape) if crops else node
    yield _case(cropped, jittered(node, params, rng), state, noise(cropped.input_shapes, rng), seed)
    small = resized(node, _smallest) if crops else node
    yield _case(small, params, state, _integers(small.input_shapes, rng), seed)


def cases_as_asked(node: Node, params: Params, state: Tensors, seed: int) -> Iterator[LayerCase]:
    """Yield a node's claims like `layer_cases`, on exactly the shapes that it has."""
    rng = np.random.default_rng([seed, node.index])
    yield _case(node, jittered(node, params, rng), state, noise(node.input_shapes, rng), seed)
    yield _case(node, params, state, _integers(node.input_shapes, rng), seed)


def loss_cases(loss: Loss, outputs: int, seed: int) -> Iterator[LayerCase]:
    """Yield the loss's claims on noise, and on integers: ties between logits, and saturated ones."""
    rng = np.random.default_rng([seed])
    classes = len(loss.probabilities(np.zeros((outputs, 1))))
    labels = np.concatenate([np.arange(min(classes, IMAGES)), rng.integers(0, classes, max(IMAGES - classes, 0))])
    for logits in (rng.normal(size=(outputs, IMAGES)), 8.0 * rng.integers(-2, 3, (outputs, IMAGES))):
        problems = tuple(loss_problems(loss, logits, labels))
        _, cache = loss.forward(logits, labels)
        argument = Value("logits", Computation((), {}, {}, {INPUT: logits}, {}, LossHead(loss, labels, logits)), INPUT)
        claim = LayerClaim(argument, loss.backward(cache, IMAGES), Amplification(argument.computation, {}))
        yield LayerCase("loss", loss.type, (claim,), problems, LossTrial(loss, logits, labels))


def _case(node: Node, params: Params, state: Tensors, xs: tuple[Array, ...], seed: int) -> LayerCase:
    inputs = tuple(range(-len(xs), 0))
    node = replace(node, index=0, inputs=inputs)
    if not tells_its_pieces(node):
        return foreign_case(node, params, state, xs, seed)
    rng = np.random.default_rng([seed, node.index])
    upstream = rng.normal(size=(*node.output_shape, IMAGES))
    ctx = Context(training=True, state=state.get(node.name, {}), stream=(seed, 0, node.index, 0))
    seen = observe(node.layer, params, xs, upstream, ctx)
    branches = {0: node.layer.branches(params, seen.cache, ctx)} if isinstance(node.layer, PiecewiseLayer) else {}
    values = {**dict(zip(inputs, xs, strict=True)), 0: seen.y}
    head = InnerProductHead(upstream, seen.y)
    computation = Computation((node,), {node.name: params}, state, values, branches, head)
    names = input_names(len(xs))
    problems = [*seen.problems, *broken_layer_identities(node.layer, params, xs[0], upstream, seen.dxs[0])]
    if branches:
        problems += broken_conventions(node.layer, xs[0], branches[0])
    arguments: list[tuple[Argument, Array]] = [
        *((Parameter(computation, node, name), dtheta) for name, dtheta in seen.gradients.items()),
        *((Value(name, computation, index), dx) for name, index, dx in zip(names, inputs, seen.dxs, strict=True)),
    ]
    fits = all(argument.theta.shape == gradient.shape for argument, gradient in arguments)
    fits = fits and params.keys() == seen.gradients.keys()
    amplification = Amplification(computation, {0: seen.cache}) if fits else None
    claims = tuple(
        LayerClaim(argument, gradient, amplification)
        for argument, gradient in arguments
        if argument.theta.shape == gradient.shape
    )
    trial = None if seen.problems else Trial(node.layer, params, xs, upstream, ctx)
    return LayerCase(node.name, node.layer.type, claims, tuple(problems), trial, fits)


def foreign_case(
    node: Node,
    params: Params,
    state: Tensors,
    xs: tuple[Array, ...],
    seed: int,
    *,
    training: bool = True,
    where: str = "",
) -> LayerCase:
    """Return a layer's claims as those of two functions of which nothing is known."""

    def context() -> Context:
        return Context(training=training, state=state.get(node.name, {}), stream=(seed, 0, node.index, 0))

    pair = pair_of(node, params, xs, context)
    seen = observe_pair(pair, seed)
    claims = tuple(PairClaim(pair, i, seen) for i in pair.variables if pair.names[i] in seen.gradients)
    trial = None if seen.problems else Trial(node.layer, params, xs, seen.upstream, context())
    fits = len(claims) == len(pair.names)
    return LayerCase(node.name, node.layer.type, claims, seen.problems, trial, fits, where, seen.notes)


def jittered(node: Node, params: Params, rng: np.random.Generator) -> Params:
    """Move every parameter: at γ = 1 or b = 0 a backward that forgets them is right by chance."""
    moved = {}
    for name, spec in node.parameter_specs.items():
        theta = params[name]
        spread = 0.5 if spec.fill is not None else 0.1 * (float(theta.std()) or 1.0)
        moved[name] = theta + spread * rng.normal(size=theta.shape)
    return moved


def noise(shapes: tuple[Shape, ...], rng: np.random.Generator, images: int = IMAGES) -> tuple[Array, ...]:
    """Return normal noise for each input shape, (…, M)."""
    return tuple(rng.normal(size=(*shape, images)) for shape in shapes)


def _integers(shapes: tuple[Shape, ...], rng: np.random.Generator) -> tuple[Array, ...]:
    """Return each integer as often as the next: however small an array is, a 0 is among them."""
    integers = np.arange(-LARGEST_INTEGER, LARGEST_INTEGER + 1.0)
    return tuple(rng.permutation(np.resize(integers, prod(shape) * IMAGES)).reshape(*shape, IMAGES) for shape in shapes)


def resized(node: Node, resize: Callable[[Layer, Shape], Shape]) -> Node:
    """Return the node over maps of other sides, where its parameters do not depend on them."""
    shapes = tuple(resize(node.layer, shape) if len(shape) == 3 else shape for shape in node.input_shapes)
    if any(map(ne, map(node.layer.parameters, shapes), map(node.layer.parameters, node.input_shapes))):
        return node
    return replace(node, input_shapes=shapes, output_shape=node.layer.output_shape(*shapes))


def cropped_shape(layer: Layer, shape: Shape) -> Shape:
    """Leave out the middle of large maps, which teaches nothing new; sides keep their remainder by the stride."""
    return shape[0], *(
        n - max(0, n - reach - WINDOWS * stride) // stride * stride
        for n, (reach, stride) in zip(shape[1:], _steps(layer, shape), strict=True)
    )


def _smallest(layer: Layer, shape: Shape) -> Shape:
    """Take room for 3×4 windows: rows and columns cannot be mixed up. A stride beyond the map has one window there."""
    return shape[0], *(
        n if stride > n else reach + more * stride
        for n, more, (reach, stride) in zip(shape[1:], (2, 3), _steps(layer, shape), strict=True)
    )


def _steps(layer: Layer, shape: Shape) -> list[tuple[int, int]]:
    """Return how far a window reaches and steps, vertically and horizontally."""
    window = layer.window(shape)
    if window is None:
        return [(1, 1), (1, 1)]
    return [(d * (k - 1) + 1, s) for k, d, s in zip(window.kernel, window.dilation, window.stride, strict=True)]
