"""What trains, end to end: does a step of the engine give what the network gives as it is written?

The step is taken by an engine with its processes, and once more where every value and every gradient can be seen on its
way. Both are held to the network in float64 over the whole batch, on the pieces that float32 took: on which side of a
ReLU a number is may be rounding's choice. So the first wrong number names its operation; where no number on the way is
wrong the fault is the engine's, in how it shares the work out or adds gradients up.

Before the step that counts the engine takes one with other parameters and images: what it keeps must not matter.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine import Engine, MicroBatch, StepResult
from cnnbp.errors import CnnbpError
from cnnbp.fast import Operation, Replacement
from cnnbp.fast.kernels import strips
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.deviation import ROUNDINGS, Deviation, deviation, raised
from cnnbp.gradcheck.heads import LossHead
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.replay import AllGradients, replay
from cnnbp.gradcheck.rounding import Amplification
from cnnbp.layers import Context, CoupledLayer, PiecewiseLayer
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.layers.windows import places
from cnnbp.network import INPUT, Node
from cnnbp.tape import Tape

ENGINE = "engine"  # what stands for it where a layer is named
ALONG = 5.0  # times what an operation alone may be away: on the way numbers are what they are, and may round alike
STEP = 1  # which keys the random streams

Pick = Callable[[AllGradients], Array]


def compare_step(point: Point, other: Point, size: int, engine: Engine, seed: int) -> Iterator[Deviation]:
    """Yield how far a step over micro-batches of `size` images is from the network as it is written.

    First what is computed on the way, in its order, then what the engine gives otherwise. The points are in float32;
    the engine, whose random streams are keyed by `seed`, takes a step at the other one before.
    """
    batch, trace = micro_batches(point, size), _Trace(point, seed)
    try:
        seen = engine.observe(trace, point.params, point.state, batch, STEP)
    except (CnnbpError, MemoryError):  # not of what is computed: no process, no memory
        raise
    except Exception as error:
        yield raised(trace.where, "step", error, ROUNDINGS)
        return
    comparison = _StepComparison(trace, seen)
    yield from comparison.on_the_way()
    engine.step(other.params, other.state, micro_batches(other, size), STEP - 1)
    yield from comparison.of_engine(engine.step(point.params, point.state, batch, STEP))


def micro_batches(point: Point, size: int) -> list[MicroBatch]:
    """Return a point's images as micro-batches of `size`."""
    cuts = [slice(start, start + size) for start in range(0, len(point.labels), size)]
    return [MicroBatch(np.ascontiguousarray(point.x[..., cut]), point.labels[cut]) for cut in cuts]


@dataclass
class _Seen:
    """What an operation gave for one micro-batch, as a feature map, ∂L/∂ of that, and where its maxima were."""

    operation: Operation
    y: Array
    winners: Array | None
    dy: Array | None = None


class _Trace:
    """Observes a step. Plans may differ between micro-batches, and so may the values that are made at all."""

    def __init__(self, point: Point, seed: int) -> None:
        self.point, self.seed = point, seed
        self.micro_batches: dict[int, dict[int, _Seen]] = {}  # by ordinal; in each by the index of the value
        self._images: dict[int, Array] = {}
        self.where: tuple[str, str | None] = (ENGINE, None)  # what is about to be computed

    @property
    def operations(self) -> list[Operation]:
        """The first micro-batch's, in the order in which they ran."""
        return [seen.operation for seen in self.micro_batches[0].values()]

    def forward(self, tape: Tape, operation: Operation) -> None:
        """Copy what an operation gave."""
        winners = None
        if _pools(operation) and isinstance(operation.layer, Replacement):
            winners = operation.layer.winners(tape.caches[operation.output])
        self._images[tape.stream[2]] = tape.values[INPUT]
        seen = self.micro_batches.setdefault(tape.stream[2], {})
        seen[operation.output] = _Seen(operation, _copied(tape.values[operation.output], operation.gives), winners)
        after = tape.plan.operations[tape.plan.operations.index(operation) + 1 :]
        self.where = _where(after[0]) if after else (ENGINE, None)

    def backward(self, tape: Tape, operation: Operation) -> None:
        """Copy the gradient of its output."""
        self.where = _where(operation)
        seen = self.micro_batches[tape.stream[2]][operation.output]
        seen.dy = _copied(tape.gradients[operation.output], operation.gives)

    def whole(self, value: int, pick: Callable[[_Seen], Any]) -> Array | None:
        """Return what is picked of all micro-batches side by side (…, M); None where one has not made the value."""
        seen = [micro_batch.get(value) for micro_batch in self.micro_batches.values()]
        return None if None in seen else np.concatenate([pick(each) for each in seen if each], axis=-1)

    def caches(self) -> dict[int, Any]:
        """Return what each piecewise node's layer would have kept, by index, on the pieces that it was on."""
        reads = [dict(self._reads(ordinal)) for ordinal in self.micro_batches]
        caches = {}
        for node in self.point.network.nodes:
            if isinstance(node.layer, PiecewiseLayer):
                x = np.concatenate([read[node.index] for read in reads], axis=-1)
                is_mask = isinstance(node.layer, Dropout)
                caches[node.index] = x if is_mask else node.layer.forward({}, x, Context())[1]
        return caches

    def _reads(self, ordinal: int) -> Iterator[tuple[int, Array]]:
        """Yield what each piecewise node has read, or numbers that put it and those behind it on the same pieces.

        Of dropout yield the mask, drawn as it should have been.
        """
        seen = self.micro_batches[ordinal]
        for each in seen.values():
            nodes = [node for node in each.operation.nodes if isinstance(node.layer, PiecewiseLayer)]
            if nodes and nodes[0] is each.operation.nodes[0]:
                [source] = each.operation.inputs
                x = self._images[ordinal] if source == INPUT else seen[source].y
            else:
                x = _stand_in(each)
            for node in nodes:
                if isinstance(node.layer, Dropout):
                    stream = (self.seed, STEP, node.index, ordinal)
                    _, mask = node.layer.forward({}, x, Context(training=True, stream=stream))
                    assert mask is not None  # as this is training
                    x = mask
                yield node.index, x
                x, _ = node.layer.forward({}, x, Context())


def _stand_in(seen: _Seen) -> Array:
    """Return numbers that put the piecewise layers behind a convolution on the pieces that gave y."""
    y, winners, nodes = seen.y, seen.winners, seen.operation.nodes
    if winners is None:
        return y
    window = next(node.layer.window(node.input_shapes[0]) for node in nodes if isinstance(node.layer, MaxPool2d))
    z = np.full((*nodes[0].output_shape, y.shape[-1]), -2.0)
    for number, (_, _, view) in enumerate(places(z, window, y.shape[1:3])):
        np.copyto(view, np.where(y > 0, 1, -1), where=winners == number)
    return z


class _StepComparison:
    """What was seen of a step beside the network as it is written, in float64, on the same pieces."""

    def __init__(self, trace: _Trace, seen: StepResult) -> None:
        self.trace, self.seen, self.point = trace, seen, trace.point.astype(np.float64)
        nodes, self._caches = self.point.network.nodes, trace.caches()
        branches = {
            node.index: node.layer.branches({}, self._caches[node.index], Context(training=True))
            for node in nodes
            if isinstance(node.layer, PiecewiseLayer)
        }
        params = {node.name: self.point.params.of(node.name) for node in nodes}
        head = LossHead(self.point.loss, self.point.labels, np.zeros(0))
        given = Computation(nodes, params, self.point.state, {INPUT: self.point.x}, branches, head)
        self._exact = replay(given, self._caches)
        self.computation = replace(given, values=self._exact.outputs)
        self._allowed = ALONG * ROUNDINGS * max(operation.roundings for operation in trace.operations)

    @cached_property
    def _amplification(self) -> Amplification:
        return Amplification(self.computation, self._caches)

    def _deviation(self, where: tuple[str, str | None], name: str, found: Array, pick: Pick) -> Deviation:
        """Compare what was found with what `pick` finds in the exact run, and in disturbed ones if need be."""
        looks = (lambda: self._amplification.spread(pick), lambda: self._amplification.closer.spread(pick))
        return deviation(where, name, found, pick(self._exact), self._allowed, *looks)

    def on_the_way(self) -> Iterator[Deviation]:
        """Yield every operation's, in the order in which they were computed."""
        operations = self.trace.operations
        for operation in operations:
            where, output = _where(operation), operation.output
            for name, running in self.seen.state.get(operation.owner.name, {}).items():
                yield self._deviation(where, name, running, self._running(operation.owner, name))
            y = self.trace.whole(output, lambda seen: seen.y)
            if y is not None:
                yield self._deviation(where, "y", y, _output(output))
        yield self._deviation(("loss", None), "L", self.seen.losses, self._losses)
        for operation in reversed(operations):
            readers = [_where(reader) for reader in operations if operation.output in reader.inputs]
            dy = self.trace.whole(operation.output, lambda seen: seen.dy)
            if dy is not None:
                where = (*readers, ("loss", None))[0]
                yield self._deviation(where, "dx", dy, _gradient(operation.output))
            for name, found in self.seen.gradient.of(operation.owner.name).items():
                yield self._deviation(_where(operation), f"d{name}", found, _parameter(operation.owner, name))

    def of_engine(self, result: StepResult) -> Iterator[Deviation]:
        """Yield those of what an engine gave that is other than what was seen."""
        where = (ENGINE, None)
        if not np.array_equal(result.losses, self.seen.losses):
            yield self._deviation(where, "L", result.losses, self._losses)
        for node in self.computation.nodes:
            for name, found in result.gradient.of(node.name).items():
                if not np.array_equal(found, self.seen.gradient.of(node.name)[name]):
                    yield self._deviation(where, f"∂L/∂{node.name}.{name}", found, _parameter(node, name))
            for name, found in result.state.get(node.name, {}).items():
                if not np.array_equal(found, self.seen.state[node.name][name]):
                    yield self._deviation(where, f"{node.name}.{name}", found, self._running(node, name))

    def _losses(self, run: AllGradients) -> Array:
        return self.point.loss.forward(run.outputs[self.computation.output], self.point.labels)[0]

    def _running(self, node: Node, name: str) -> Pick:
        layer, params, state = node.layer, self.point.params.of(node.name), self.point.state[node.name]
        if not isinstance(layer, CoupledLayer):
            return lambda run: state[name]  # which nothing moves

        def pick(run: AllGradients) -> Array:
            statistics = layer.statistics(params, run.outputs[node.inputs[0]], Context(training=True))
            return layer.updated_state(state, statistics)[name]

        return pick


def _output(value: int) -> Pick:
    return lambda run: run.outputs[value]


def _gradient(value: int) -> Pick:
    return lambda run: run.values[value]


def _parameter(node: Node, name: str) -> Pick:
    return lambda run: run.parameters[f"{node.name}.{name}"]


def _where(operation: Operation) -> tuple[str, str | None]:
    return operation.owner.name, operation.kernel


def _copied(array: Array, S: int) -> Array:
    """Return a copy as a feature map."""
    return strips.join(array, S, Context()) if S else array.copy()


def _pools(operation: Operation) -> bool:
    """Whether an operation does a max pool behind another layer, whose output is never made."""
    pools = any(isinstance(node.layer, MaxPool2d) for node in operation.nodes)
    return pools and not isinstance(operation.nodes[0].layer, PiecewiseLayer)
