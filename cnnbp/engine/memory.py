"""Memory that passes from one micro-batch to the next: an arena for the values, a vector for the gradient."""

from collections.abc import Sequence

from cnnbp.arrays import Arena
from cnnbp.parameters import Parameters


class Memory:
    """What earlier micro-batches are done with. Threads take from it and give back as they like."""

    def __init__(self, gradients: Sequence[Parameters] = ()) -> None:
        """`gradients` is memory for them to begin with."""
        self._arenas: list[Arena] = []
        self._gradients = list(gradients)
        self._lent: Parameters | None = None

    def take_arena(self) -> Arena:
        """Return an empty arena."""
        try:
            arena = self._arenas.pop()
        except IndexError:
            return Arena()
        arena.reset()
        return arena

    def return_arena(self, arena: Arena) -> None:
        """Say that nothing in the arena is needed any more."""
        self._arenas.append(arena)

    def take_gradient(self, like: Parameters) -> Parameters:
        """Return uninitialised memory for a gradient of such parameters; what is there for others is let go."""
        while True:
            try:
                gradient = self._gradients.pop()
            except IndexError:
                return like.layout.empty(like.vector.dtype)
            if gradient.layout is like.layout and gradient.vector.dtype == like.vector.dtype:
                return gradient

    def lend_gradient(self, gradient: Parameters) -> Parameters:
        """Hand a gradient out until the next one is lent."""
        if self._lent is not None:
            self._gradients.append(self._lent)
        self._lent = gradient
        return gradient

    def return_gradient(self, gradient: Parameters) -> None:
        """Say that the gradient is not needed any more."""
        self._gradients.append(gradient)
