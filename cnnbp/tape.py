"""The tape of one micro-batch: every value, cache and gradient on its way through a network and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cnnbp.arrays import Allocator, Array
from cnnbp.fast import Operation, Plan, Planner, Replacement, as_written, plan_for
from cnnbp.fast.operation import CoupledReplacement
from cnnbp.layers import Context, CoupledLayer, Layer
from cnnbp.network import INPUT, Network, Node
from cnnbp.parameters import Parameters, Tensors

_NOTHING: dict[str, Array] = {}  # what a layer without parameters has


class Observer(Protocol):
    """Is shown each operation of a tape, as soon as its output, and later ∂L/∂output, is on the tape.

    Both may be overwritten by what the tape does next.
    """

    def forward(self, tape: "Tape", operation: Operation) -> None:
        """Look at `tape.values[operation.output]`."""

    def backward(self, tape: "Tape", operation: Operation) -> None:
        """Look at `tape.gradients[operation.output]`."""


class _Stop(NamedTuple):
    """An operation on the way: all that is the same in every step."""

    output: int  # the index of the value that it gives
    source: int | None  # the value that it reads; None where it reads two
    name: str  # whose parameters it works with
    layer: Layer | Replacement
    forward: Context
    backward: Context


class Tape:
    """One micro-batch on its way through a network: values, caches, then their gradients, by a plan's operations.

    `values[i]` is node i's output and `gradients[i]` = ∂L/∂values[i], for the last node of each operation; the images'
    are under INPUT, the last place. A tape may take one micro-batch after another, in the same memory.
    """

    def __init__(
        self,
        network: Network,
        params: Parameters,
        state: Tensors,
        x: Array,
        arena: Allocator,
        *,
        training: bool = True,
        keep_everything: bool = False,
        stream: tuple[int, int, int] = (0, 0, 0),
        planner: Planner | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`stream` is (seed, step, micro-batch).

        `keep_everything` gives ∂L/∂x of the images, too, and forbids to work in place; unless a planner is given, the
        network is then taken as it is written, and otherwise as it is fast.
        """
        self.network, self.arena, self.observer = network, arena, observer
        self.training, self.keep_everything = training, keep_everything
        self._planner = planner or (as_written if keep_everything else plan_for)
        self._prepared: dict[Plan, dict[Operation, _Stop]] = {}
        self.begin(params, state, x, stream)

    def begin(self, params: Parameters, state: Tensors, x: Array, stream: tuple[int, int, int]) -> None:
        """Take a micro-batch; the arena must have been emptied since the last one."""
        self.params, self.state, self.stream = params, state, stream
        self.clear()
        self.values[INPUT] = x
        self.plan = self._planner(self.network, x.shape[-1], x.dtype)
        if self.plan not in self._prepared:
            self._prepared[self.plan] = {op: self._stop(op, self.plan) for op in self.plan.operations}
        self._stops = self._prepared[self.plan]
        seed, step, micro_batch = stream
        for operation, stop in self._stops.items():
            key = seed, step, operation.owner.index, micro_batch
            for context in (stop.forward, stop.backward):
                context.stream = key
                if state:
                    context.state = state.get(stop.name, {})

    def clear(self) -> None:
        """Let go of all values, caches and gradients."""
        count = len(self.network.nodes) + 1
        self.values: list[Any] = [None] * count
        self.caches: list[Any] = [None] * count
        self.gradients: list[Any] = [None] * count

    def _stop(self, operation: Operation, plan: Plan) -> _Stop:
        inputs = operation.inputs
        return _Stop(
            operation.output,
            inputs[0] if len(inputs) == 1 else None,
            operation.owner.name,
            operation.layer,
            self._context(operation, inputs[0] in plan.reusable),
            self._context(operation, True),
        )

    def _context(self, operation: Operation, reusable: bool) -> Context:
        return Context(
            self.arena,
            self.training,
            wants_dx=self.keep_everything or operation.inputs != (INPUT,),
            may_overwrite=reusable and not self.keep_everything,
        )

    def context(self, node: Node) -> Context:
        """Return what a node's operation may know forward."""
        return self.contexts(node)[0]

    def contexts(self, node: Node) -> tuple[Context, Context]:
        """Return what a node's operation may know forward, and backward."""
        stop = self._stops[self.plan.operation_of(node)]
        return stop.forward, stop.backward

    def input(self, node: Node) -> Any:
        """Return what the node reads: an array, or a tuple where it has two inputs."""
        return self._read(node.inputs)

    def _read(self, inputs: Sequence[int]) -> Any:
        return self.values[inputs[0]] if len(inputs) == 1 else tuple(self.values[i] for i in inputs)

    def forward(self, operations: Sequence[Operation] | None = None) -> Array:
        """Run the operations in order, by default all; return the last one's output, the images if there are none."""
        y, values, tensors, stops, observer = (
            self.values[INPUT],
            self.values,
            self.params.tensors,
            self._stops,
            self.observer,
        )
        for operation in self.plan.operations if operations is None else operations:
            output, source, name, layer, context, _ = stops[operation]
            x = self._read(operation.inputs) if source is None else values[source]
            y, self.caches[output] = layer.forward(tensors.get(name, _NOTHING), x, context)
            values[output] = y
            if observer:
                observer.forward(self, operation)
        return y

    def backward(self, gradient: Parameters, operations: Sequence[Operation] | None = None) -> None:
        """Run the operations in reverse, by default all, from the gradient of the last one's output.

        Writes ∂L/∂θ into `gradient`.
        """
        gradients, tensors, stops, observer = self.gradients, self.params.tensors, self._stops, self.observer
        for operation in reversed(self.plan.operations if operations is None else operations):
            output, source, name, layer, _, context = stops[operation]
            if observer:
                observer.backward(self, operation)
            accumulators = context.accumulators = gradient.tensors.get(name, _NOTHING)
            dx, written = layer.backward(tensors.get(name, _NOTHING), self.caches[output], gradients[output], context)
            _write(written, accumulators)
            if source is None or gradients[source] is not None:
                self._pass_on(operation, dx)
            elif source != INPUT or self.keep_everything:
                gradients[source] = dx

    def statistics(self, operation: Operation) -> Array:
        """Return this micro-batch's share of the statistics of an operation that couples images."""
        _, _, name, layer, context, _ = self._stops[operation]
        return _coupled(layer).statistics(self.params.of(name), self._read(operation.inputs), context)

    def apply(self, operation: Operation, statistics: Array) -> Array:
        """Run it forward with the whole batch's statistics, and return its output."""
        output, _, name, layer, context, _ = self._stops[operation]
        y, cache = _coupled(layer).apply(self.params.of(name), self._read(operation.inputs), statistics, context)
        self.values[output], self.caches[output] = y, cache
        if self.observer:
            self.observer.forward(self, operation)
        return y

    def gradient_statistics(self, operation: Operation, gradient: Parameters) -> Array:
        """Return this micro-batch's share of the sums that its ∂L/∂x needs; write its ∂L/∂θ."""
        output, _, name, layer, _, context = self._stops[operation]
        if self.observer:
            self.observer.backward(self, operation)
        cache, dy = self.caches[output], self.gradients[output]
        sums, tensors = _coupled(layer).gradient_statistics(self.params.of(name), cache, dy, context)
        _write(tensors, gradient.of(name))
        return sums

    def apply_gradient(self, operation: Operation, sums: Array) -> None:
        """Run it backward with the whole batch's sums."""
        output, _, name, layer, _, context = self._stops[operation]
        if context.wants_dx:
            cache, dy = self.caches[output], self.gradients[output]
            self._pass_on(operation, _coupled(layer).apply_gradient(self.params.of(name), cache, dy, sums, context))

    def _pass_on(self, operation: Operation, dx: Any) -> None:
        """Give each value that was read its gradient; a value that is read twice has them added."""
        inputs = operation.inputs
        for value, dvalue in zip(inputs, dx if len(inputs) > 1 else (dx,)):  # noqa: B905
            if value == INPUT and not self.keep_everything:
                continue  # some readers of the images give None, and nothing reads the sum
            so_far = self.gradients[value]
            self.gradients[value] = dvalue if so_far is None else so_far + dvalue


def _write(tensors: dict[str, Array], accumulators: dict[str, Array]) -> None:
    for name, array in tensors.items():
        if array is not accumulators[name]:
            accumulators[name][...] = array


def _coupled(layer: Layer | Replacement) -> CoupledLayer | CoupledReplacement:
    assert isinstance(layer, CoupledLayer | CoupledReplacement)
    return layer


class _LettingGo:
    """Holds no cache, and each value until its last reader is done."""

    def __init__(self, network: Network, observer: Observer | None) -> None:
        self.last_read, self.observer = network.last_read, observer

    def forward(self, tape: Tape, operation: Operation) -> None:
        if self.observer:
            self.observer.forward(tape, operation)
        tape.caches[operation.output] = None
        for node in operation.nodes:
            for value in self.last_read[node.index]:
                tape.values[value] = None

    def backward(self, tape: Tape, operation: Operation) -> None:
        raise AssertionError("there is nothing left to go back over")


def infer(
    network: Network,
    params: Parameters,
    state: Tensors,
    x: Array,
    planner: Planner = plan_for,
    observer: Observer | None = None,
) -> Array:
    """Return the logits as after training; holds no more than what is still read."""
    letting_go = _LettingGo(network, observer)
    tape = Tape(network, params, state, x, Allocator(), training=False, planner=planner, observer=letting_go)
    return tape.forward()
