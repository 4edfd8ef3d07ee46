"""What a mistake in fast code is, and how it is put into one operation of a plan: by wrapping, as in a layer."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast import Operation, Plan, Planner
from cnnbp.fast.kernels import strips
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Mistake
from cnnbp.gradcheck.bugs.planting import Kept
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Gradients, Params
from cnnbp.network import Network


@dataclass(frozen=True)
class FastPass(BackwardPass):
    """One pass through an operation; `x`, `y` and `dy` may lie in strips. `dy` is 0 on the way forward."""

    operation: Operation

    def as_map(self, array: Array, S: int) -> Array:
        """Return an array in S strips as a feature map."""
        return strips.join(array, S, Context()) if S else array

    def in_strips(self, array: Array, S: int) -> Array:
        """Return a feature map in S strips."""
        return strips.cut(array, S, Context()) if S else array

    @property
    def image(self) -> Array:
        """x as a feature map."""
        return self.as_map(self.x, self.operation.takes)

    @property
    def z(self) -> Array:
        """What the convolution alone gives as it is written (F, OH, OW, M)."""
        return self.convolved(self.image)

    def convolved(self, x: Array) -> Array:
        """Return what it gives for another image."""
        return self.operation.nodes[0].layer.forward(self.params, x, self.ctx)[0]

    def after(self, z: Array, without: type[Layer] | None = None) -> Array:
        """Return what the operation's other layers make of z, with one kind of them left out."""
        for node in self.operation.nodes[1:]:
            if without is None or not isinstance(node.layer, without):
                z, _ = node.layer.forward({}, z, self.ctx)
        return z


Forward = Callable[[FastPass], Array]  # returns another y, as a feature map


@dataclass(frozen=True)
class FastBug:
    """A mistake in what replaces layers, for the kernels of some names; `shows` tells whether an operation has it.

    It is in backward, or else in what forward gives, or in a method that only some replacements have.
    """

    name: str
    story: str
    kernels: tuple[str, ...]
    backward: Mistake | None = None
    forward: Forward | None = None
    methods: dict[str, Callable[..., Any]] | None = None  # (the right method, *arguments) → what it returns
    shows: Callable[[Operation], bool] = lambda operation: True

    def fits(self, operation: Operation) -> bool:
        """Whether it can be planted in an operation and be seen."""
        return not set(self.kernels).isdisjoint(_words(operation)) and self.shows(operation)


def _words(operation: Operation) -> Sequence[str]:
    return (operation.kernel or "").split(", ")


def broken_planner(planner: Planner, owner: str, bug: FastBug) -> Planner:
    """Return a planner in whose plans the operation of one node makes a mistake."""
    made: dict[Plan, Plan] = {}

    def broken(network: Network, M: int, dtype: "np.dtype[np.generic]") -> Plan:
        plan = planner(network, M, dtype)
        if plan not in made:
            made[plan] = Plan(
                tuple(
                    broken_operation(operation, bug)
                    if operation.owner.name == owner and bug.fits(operation)
                    else operation
                    for operation in plan.operations
                )
            )
        return made[plan]

    return broken


def broken_operation(operation: Operation, bug: FastBug) -> Operation:
    """Return an operation whose layer makes a mistake."""
    right: Any = operation.layer
    memory: dict[str, Any] = {}

    def step(params: Params, x: Array, y: Array, dy: Array, cache: Any, ctx: Context) -> FastPass:
        several = replace(ctx, accumulators={}, may_overwrite=False)  # a mistake may run either way twice
        return FastPass(right, params, x, y, dy, cache, several, memory, operation)

    def forward(self: Any, params: Params, x: Array, ctx: Context) -> tuple[Array, Kept]:
        kept = x.copy()
        y, cache = right.forward(params, x, ctx)
        if bug.forward:
            seen = step(params, kept, y.copy(), np.zeros_like(y), cache, ctx)
            y[...] = seen.in_strips(np.ascontiguousarray(bug.forward(seen)), operation.gives)
        return y, Kept(kept, y.copy(), cache)

    def backward(self: Any, params: Params, cache: Kept, dy: Array, ctx: Context) -> tuple[Any, Gradients]:
        if not bug.backward:
            return right.backward(params, cache.cache, dy, ctx)
        return bug.backward(step(params, cache.x, cache.y, dy, cache.cache, ctx))

    def winners(self: Any, cache: Kept) -> Array:
        return right.winners(cache.cache)

    def method(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *arguments: change(getattr(right, name), *arguments)

    changed = {name: method(name, change) for name, change in (bug.methods or {}).items()}
    whole = {} if changed else {"forward": forward, "backward": backward, "winners": winners}
    broken = copy(right)
    broken.__class__ = type("Broken", (type(right),), whole | changed)
    return replace(operation, layer=broken)


def has(name: str) -> Callable[[Operation], bool]:
    """Return what tells whether an operation has a parameter."""
    return lambda operation: name in operation.owner.parameter_specs
