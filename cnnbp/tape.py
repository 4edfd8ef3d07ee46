"""The tape of one micro-batch: every value, cache and gradient on its way through a network and back."""

from collections.abc import Sequence
from typing import Any

from cnnbp.arrays import Arena, Array, Heap
from cnnbp.layers import Context, CoupledLayer
from cnnbp.network import INPUT, Network, Node
from cnnbp.parameters import Parameters, Tensors
from cnnbp.plan import AS_WRITTEN, plan_for


class Tape:
    """One micro-batch on its way through a network: values, caches, then their gradients.

    `values[i]` is node i's output and `gradients[i]` = ∂L/∂values[i]; the images' are under INPUT, the last place.
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
        self.network, self.params, self.state = network, params, state
        self.arena, self.training, self.keep_everything, self.stream = arena, training, keep_everything, stream
        self.unpacked = unpacked
        count = len(network.nodes) + 1
        self.values: list[Any] = [None] * count
        self.caches: list[Any] = [None] * count
        self.gradients: list[Any] = [None] * count
        self._contexts: list[Context | None] = [None] * count
        self.values[INPUT] = x
        self.plan = AS_WRITTEN if keep_everything else plan_for(network, x.shape[-1], x.dtype)

    def context(self, node: Node, *, backward: bool = False) -> Context:
        """Return what the node's layer may know."""
        context = self._contexts[node.index]
        if context is None:
            seed, step, micro_batch = self.stream
            context = self._contexts[node.index] = Context(
                self.arena,
                self.training,
                self.unpacked,
                self.keep_everything or node.inputs != (INPUT,),
                state=self.state.get(node.name, {}),
                stream=(seed, step, node.index, micro_batch),
                accumulators={},
            )
        reusable = backward or node.inputs[0] in self.network.reusable_values
        context.may_overwrite = reusable and not self.keep_everything
        return context

    def input(self, node: Node) -> Any:
        """Return what the node reads: an array, or a tuple where it has two inputs."""
        if len(node.inputs) == 1:
            return self.values[node.inputs[0]]
        return tuple(self.values[i] for i in node.inputs)

    def forward(self, nodes: Sequence[Node]) -> Array:
        """Run the nodes in order and return the last one's output (the images where there are none)."""
        y = self.values[INPUT]
        for node in nodes:
            y = self.input(node)
            if node.index not in self.plan.elsewhere:
                layer = self.plan.convolutions.get(node.index, node.layer)
                y, self.caches[node.index] = layer.forward(self.params[node.name], y, self.context(node))
            if relu := self.plan.late.get(node.index):
                y, self.caches[relu.index] = relu.layer.forward({}, y, self.context(relu, backward=True))
            self.values[node.index] = y
        return y

    def backward(self, nodes: Sequence[Node], gradient: Parameters) -> None:
        """Run the nodes in reverse from the gradient of the last one's output, and write ∂L/∂θ into `gradient`."""
        for node in reversed(nodes):
            cache, dx = self.caches[node.index], self.gradients[node.index]
            if relu := self.plan.late.get(node.index):
                dx, _ = relu.layer.backward({}, self.caches[relu.index], dx, self.context(relu, backward=True))
            if node.index not in self.plan.elsewhere:
                context = self.context(node, backward=True)
                context.accumulators = gradient[node.name]
                layer = self.plan.convolutions.get(node.index, node.layer)
                dx, tensors = layer.backward(self.params[node.name], cache, dx, context)
                self._write(node, tensors, gradient)
            self._pass_on(node, dx)

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
        self._write(node, tensors, gradient)
        return sums

    def apply_gradient(self, node: Node, sums: Array) -> None:
        """Run a coupled node backward with the whole batch's sums."""
        cache, dy = self.caches[node.index], self.gradients[node.index]
        context = self.context(node, backward=True)
        if context.wants_dx:
            dx = coupled(node).apply_gradient(self.params[node.name], cache, dy, sums, context)
            self._pass_on(node, dx)

    def _write(self, node: Node, tensors: dict[str, Array], gradient: Parameters) -> None:
        for name, array in tensors.items():
            accumulator = gradient[node.name][name]
            if array is not accumulator:
                accumulator[...] = array

    def _pass_on(self, node: Node, dx: Any) -> None:
        """Give each value that the node read its gradient; a value that is read twice has them added."""
        for value, dvalue in zip(node.inputs, dx if len(node.inputs) > 1 else (dx,)):  # noqa: B905
            if value == INPUT and not self.keep_everything:
                continue  # some readers of the images give None, and nobody reads the sum
            so_far = self.gradients[value]
            self.gradients[value] = dvalue if so_far is None else so_far + dvalue


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
