"""The tape of one micro-batch: every value, cache and gradient on its way through a network and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnbp.arrays import Arena, Array, Heap
from cnnbp.layers import Context, CoupledLayer, Layer
from cnnbp.network import INPUT, Network, Node
from cnnbp.parameters import Parameters, Tensors
from cnnbp.plan import AS_WRITTEN, Plan, Planned, plan_for

_NOTHING: dict[str, Array] = {}  # what a layer without parameters has


class _Stop(NamedTuple):
    """A node on the way: all that is the same in every step."""

    place: int  # the node's index
    source: int | None  # the value that it reads; None for a node that reads two
    name: str
    layer: Layer | Planned | None  # None where its work is done elsewhere
    forward: Context
    backward: Context
    late: tuple[int, Layer, Context] | None  # the ReLU that is done behind it


class Tape:
    """One micro-batch on its way through a network: values, caches, then their gradients.

    `values[i]` is node i's output and `gradients[i]` = ∂L/∂values[i]; the images' are under INPUT, the last place.
    A tape may take one micro-batch after another, in the same memory.
    """

    def __init__(
        self,
        network: Network,
        params: Parameters,
        state: Tensors,
        x: Array,
        arena: Arena,
        *,
        training: bool = True,
        keep_everything: bool = False,
        stream: tuple[int, int, int] = (0, 0, 0),
        unpacked: int = 0,
    ) -> None:
        """`stream` is (seed, step, micro-batch); `keep_everything` forbids layers to work in place."""
        self.network, self.arena, self.unpacked = network, arena, unpacked
        self.training, self.keep_everything = training, keep_everything
        self._contexts: dict[tuple[int, bool], Context] = {}
        self.plan: Plan | None = None
        self._stops: list[_Stop] = []  # what the plan makes of the nodes
        self.begin(params, state, x, stream)

    def begin(self, params: Parameters, state: Tensors, x: Array, stream: tuple[int, int, int]) -> None:
        """Take a micro-batch; the arena must have been emptied since the last one."""
        self.params, self.state, self.stream = params, state, stream
        self.clear()
        self.values[INPUT] = x
        plan = AS_WRITTEN if self.keep_everything else plan_for(self.network, x.shape[-1], x.dtype)
        if plan is not self.plan:
            self.plan = plan
            self._stops = [self._stop(node, plan) for node in self.network.nodes]
        seed, step, micro_batch = stream
        for (index, _), context in self._contexts.items():
            context.stream = seed, step, index, micro_batch
            if state:
                context.state = state.get(self._stops[index].name, {})

    def clear(self) -> None:
        """Let go of all values, caches and gradients."""
        count = len(self.network.nodes) + 1
        self.values: list[Any] = [None] * count
        self.caches: list[Any] = [None] * count
        self.gradients: list[Any] = [None] * count

    def _stop(self, node: Node, plan: Plan) -> _Stop:
        index, relu = node.index, plan.late.get(node.index)
        return _Stop(
            index,
            node.inputs[0] if len(node.inputs) == 1 else None,
            node.name,
            None if index in plan.elsewhere else plan.convolutions.get(index, node.layer),
            self.context(node),
            self.context(node, backward=True),
            (relu.index, relu.layer, self.context(relu, backward=True)) if relu else None,
        )

    def context(self, node: Node, *, backward: bool = False) -> Context:
        """Return what the node's layer may know."""
        context = self._contexts.get((node.index, backward))
        if context is None:
            reusable = backward or node.inputs[0] in self.network.reusable_values
            context = self._contexts[node.index, backward] = Context(
                self.arena,
                self.training,
                self.unpacked,
                wants_dx=self.keep_everything or node.inputs != (INPUT,),
                may_overwrite=reusable and not self.keep_everything,
            )
        return context

    def input(self, node: Node) -> Any:
        """Return what the node reads: an array, or a tuple where it has two inputs."""
        if len(node.inputs) == 1:
            return self.values[node.inputs[0]]
        return tuple(self.values[i] for i in node.inputs)

    def forward(self, nodes: Sequence[Node]) -> Array:
        """Run the nodes in order and return the last one's output (the images where there are none)."""
        y, values, tensors = self.values[INPUT], self.values, self.params.tensors
        for node in nodes:
            index, source, name, layer, context, _, late = self._stops[node.index]
            y = self.input(node) if source is None else values[source]
            if layer is not None:
                y, self.caches[index] = layer.forward(tensors.get(name, _NOTHING), y, context)
            if late:
                relu, layer, context = late
                y, self.caches[relu] = layer.forward(_NOTHING, y, context)
            values[index] = y
        return y

    def backward(self, nodes: Sequence[Node], gradient: Parameters) -> None:
        """Run the nodes in reverse from the gradient of the last one's output, and write ∂L/∂θ into `gradient`."""
        caches, gradients, tensors = self.caches, self.gradients, self.params.tensors
        for node in reversed(nodes):
            index, source, name, layer, _, context, late = self._stops[node.index]
            dx = gradients[index]
            if late:
                relu, activation, behind = late
                dx, _ = activation.backward(_NOTHING, caches[relu], dx, behind)
            if layer is not None:
                accumulators = context.accumulators = gradient.tensors.get(name, _NOTHING)
                dx, written = layer.backward(tensors.get(name, _NOTHING), caches[index], dx, context)
                _write(written, accumulators)
            if source is None or gradients[source] is not None:
                self._pass_on(node, dx)
            elif source != INPUT or self.keep_everything:
                gradients[source] = dx

    def statistics(self, node: Node) -> Array:
        """Return this micro-batch's share of a coupled node's statistics."""
        return coupled(node).statistics(self.params[node.name], self.input(node), self.context(node))

    def apply(self, node: Node, statistics: Array) -> None:
        """Run a coupled node forward with the whole batch's statistics."""
        y, cache = coupled(node).apply(self.params[node.name], self.input(node), statistics, self.context(node))
        self.values[node.index], self.caches[node.index] = y, cache

    def gradient_statistics(self, node: Node, gradient: Parameters) -> Array:
        """Return this micro-batch's share of the sums that a coupled node's ∂L/∂x needs; write its ∂L/∂θ."""
        cache, dy = self.caches[node.index], self.gradients[node.index]
        context = self.context(node, backward=True)
        sums, tensors = coupled(node).gradient_statistics(self.params[node.name], cache, dy, context)
        _write(tensors, gradient[node.name])
        return sums

    def apply_gradient(self, node: Node, sums: Array) -> None:
        """Run a coupled node backward with the whole batch's sums."""
        cache, dy = self.caches[node.index], self.gradients[node.index]
        context = self.context(node, backward=True)
        if context.wants_dx:
            dx = coupled(node).apply_gradient(self.params[node.name], cache, dy, sums, context)
            self._pass_on(node, dx)

    def _pass_on(self, node: Node, dx: Any) -> None:
        """Give each value that the node read its gradient; a value that is read twice has them added."""
        for value, dvalue in zip(node.inputs, dx if len(node.inputs) > 1 else (dx,)):  # noqa: B905
            if value == INPUT and not self.keep_everything:
                continue  # some readers of the images give None, and nobody reads the sum
            so_far = self.gradients[value]
            self.gradients[value] = dvalue if so_far is None else so_far + dvalue


def _write(tensors: dict[str, Array], accumulators: dict[str, Array]) -> None:
    for name, array in tensors.items():
        if array is not accumulators[name]:
            accumulators[name][...] = array


def infer(network: Network, params: Parameters, state: Tensors, x: Array, unpacked: int = 0) -> Array:
    """Return the logits as after training; holds no cache, and each value until its last reader is done."""
    tape = Tape(network, params, state, x, Heap(), training=False, unpacked=unpacked)
    for node in network.nodes:
        tape.forward((node,))
        tape.caches[node.index] = None
        for value in network.last_read[node.index]:
            tape.values[value] = None
    return tape.values[network.nodes[-1].index]


def coupled(node: Node) -> CoupledLayer:
    """Return the node's layer, known to be a coupled one."""
    assert isinstance(node.layer, CoupledLayer)
    return node.layer
