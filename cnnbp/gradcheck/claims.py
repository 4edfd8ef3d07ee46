"""What backward says about one tensor, and the means to put it to the test."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.engine import values_in_use
from cnnbp.gradcheck.arguments import Argument
from cnnbp.gradcheck.computation import Forward
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.rounding import UNIT_ROUNDOFF, Amplification

STACK_BYTES = 16 << 20  # of the widest layer, for copies evaluated together: more spill from the caches
LARGEST_STACK = 1024
NUMBER_WORK = 24  # multiply-adds of a matrix product in the time that a layer takes to handle a number


@dataclass(frozen=True)
class LayerClaim:
    """`gradient` is said to be the derivative of a scalar by a parameter of a network's nodes, or by a value they read.

    The scalar is a sum of parts, and two evaluations are subtracted part by part before they are summed.
    """

    argument: Argument
    gradient: Array
    amplification: Amplification | None  # None: no rounding is allowed for

    unit_roundoff = UNIT_ROUNDOFF

    @cached_property
    def rounding(self) -> Array:
        """How far off each entry of a correct gradient may be: what its own computation loses."""
        return np.zeros(self.theta.shape) if self.amplification is None else self.amplification.rounding(self.argument)

    @property
    def forward_rounding(self) -> float:
        """How far off the scalar itself may be."""
        return 0.0 if self.amplification is None else self.amplification.forward_rounding

    def closer(self) -> "LayerClaim":
        """Return the claim with its rounding measured by more runs."""
        return replace(self, amplification=self.amplification and self.amplification.closer)

    @property
    def name(self) -> str:
        return self.argument.name

    @property
    def theta(self) -> Array:
        return self.argument.theta

    @property
    def may_be_affine(self) -> bool:
        """Whether it is worth finding out if the scalar is affine in theta."""
        return self.argument.computation.head.is_linear

    @cached_property
    def copies(self) -> int:
        """How many perturbed copies to evaluate together."""
        widest = max((values_in_use(node) for node in self.argument.reached), default=1)
        images = self.argument.images_per_copy
        return max(4, min(LARGEST_STACK, STACK_BYTES // (8 * widest * images)))

    @property
    def work(self) -> int:
        """How many multiply-adds one copy takes, about."""
        per_image = sum(
            node.layer.macs(node.input_shapes[0]) + NUMBER_WORK * values_in_use(node) for node in self.argument.reached
        )
        return max(per_image * self.argument.images_per_copy, 1)

    def parts(self, entries: Array, shifts: Array, forward: Forward, arena: Arena) -> tuple[Array, Array]:
        """Move each entry (flat index) by each of its shifts (E, S).

        Returns the parts (P, E, S, m), and for which entries some shift left the base point's branches (E,).
        """
        stack = self.argument.stacked(entries, shifts, forward, arena)
        parts, crossed = self.argument.computation.evaluate(stack, forward, arena)
        return parts.reshape(len(parts), *shifts.shape, -1), np.any(crossed.reshape(shifts.shape), axis=1)

    def parts_along(self, step: Array, forward: Forward, arena: Arena) -> Array:
        """Return the parts (P, m) with the whole tensor moved by `step`."""
        stack = self.argument.moved(step, forward, arena)
        return self.argument.computation.evaluate(stack, forward, arena)[0][:, 0]

    def magnitude(self, difference: Array) -> Array:
        """Return how large the numbers were whose rounding a difference of parts (P, E, m) carries: (E,)."""
        return self.argument.computation.head.magnitude(difference)


Claim = LayerClaim | PairClaim
