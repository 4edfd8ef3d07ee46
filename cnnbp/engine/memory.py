"""Memory that passes from one micro-batch to the next: an arena for the values, a vector for the gradient."""

from cnnbp.arrays import Arena
from cnnbp.parameters import Parameters


class Memory:
    """What earlier micro-batches are done with. Threads take from it and give back as they like."""

    def __init__(self) -> None:
        self._arenas: list[Arena] = []
        self._gradients: list[Parameters] = []
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
        """Return uninitialised memory for a gradient."""
        try:
            return self._gradients.pop()
        except IndexError:
            return like.layout.empty(like.vector.dtype)

    def lend_gradient(self, gradient: Parameters) -> Parameters:
        """Hand a gradient out until the next one is lent."""
        if self._lent is not None:
            self._gradients.append(self._lent)
        self._lent = gradient
        return gradient

    def return_gradient(self, gradient: Parameters) -> None:
        """Say that the gradient is not needed any more."""
        self._gradients.append(gradient)
