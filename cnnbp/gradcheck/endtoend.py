"""A whole network at one point: claims about ∂L/∂θ of every parameter and ∂L/∂X, and what else must hold there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cnnbp.gradcheck.arguments import Argument, Parameter, Value
from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.identities import broken_conventions, broken_layer_identities
from cnnbp.gradcheck.point import Point, as_computation
from cnnbp.gradcheck.preflight import backward_problems, held_problems, loss_problems
from cnnbp.gradcheck.replay import AllGradients
from cnnbp.gradcheck.rounding import Amplification
from cnnbp.gradcheck.summation import broken_sums
from cnnbp.layers import PiecewiseLayer
from cnnbp.network import INPUT
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape


@dataclass(frozen=True)
class NetworkCase:
    """What a network claims at a point, how much its gradients amplify rounding, and what it did that it must not."""

    computation: Computation
    claims: tuple[LayerClaim, ...]
    amplification: Amplification
    problems: tuple[str, ...] = ()


def network_case(point: Point) -> NetworkCase:
    """Run a network forward and backward in training."""
    tape, logits = point.forward()
    _, cache = point.loss.forward(logits, point.labels)
    return _claimed(point, tape, point.backward(tape, point.loss.backward(cache, len(point.labels))))


def examined_network_case(point: Point) -> NetworkCase:
    """Run a network forward and backward in training, twice, and look for what must not be."""
    tape, logits = point.forward()
    problems = [*loss_problems(point.loss, logits, point.labels)]
    _, cache = point.loss.forward(logits, point.labels)
    dlogits = point.loss.backward(cache, len(point.labels))
    gradient, further = backward_problems(point, tape, dlogits)
    case = _claimed(point, tape, gradient)
    problems += [
        *further,
        *_broken_in_place(point, tape),
        *broken_sums(point, case.claims, lambda at: network_case(at).claims),
    ]
    return replace(case, problems=tuple(dict.fromkeys(problems)))


def _claimed(point: Point, tape: Tape, gradient: Parameters) -> NetworkCase:
    computation = as_computation(point, tape)
    gradients = AllGradients(dict(gradient.named()), {INPUT: tape.gradients[INPUT]})
    amplification = Amplification(computation, dict(enumerate(tape.caches)))
    claims = [
        LayerClaim(argument, argument.gradient_in(gradients), amplification) for argument in arguments(computation)
    ]
    return NetworkCase(computation, tuple(claims), amplification)


def arguments(computation: Computation) -> list[Argument]:
    """Return what a network is differentiated by: each parameter, and its input."""
    parameters = [Parameter(computation, node, name) for node in computation.nodes for name in node.parameter_specs]
    return [*parameters, Value("X", computation, INPUT)]


def _broken_in_place(point: Point, tape: Tape) -> Iterator[str]:
    """Yield what does not hold at a node, with the values and gradients that it has in the network."""
    for node in point.network.nodes:
        params, x = point.params.of(node.name), tape.input(node)
        found: list[str] = []
        if isinstance(node.layer, PiecewiseLayer):
            y, cache = tape.values[node.index], tape.caches[node.index]
            found += held_problems(node.layer, params, x, y, cache, tape.context(node))
            found += broken_conventions(node.layer, x, node.layer.branches(params, cache, tape.context(node)))
        if len(node.inputs) == 1 and len(point.network.readers[node.inputs[0]]) == 1:
            dy, dx = tape.gradients[node.index], tape.gradients[node.inputs[0]]
            found += broken_layer_identities(node.layer, params, x, dy, dx)
        yield from (f"{node.name}: {problem}" for problem in found)
