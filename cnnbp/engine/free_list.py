"""Memory that is free to be used again: a tape with its arena, a vector for a gradient."""

from collections.abc import Sequence

from cnnbp.arrays import Arena
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape


class FreeList:
    """The tapes and gradients that earlier micro-batches are done with. Any thread may take from it and give back."""

    def __init__(self, gradients: Sequence[Parameters] = ()) -> None:
        """`gradients` is memory for them to begin with."""
        self._tapes: list[Tape] = []
        self._gradients = list(gradients)
        self._lent: Parameters | None = None

    def take_tape(self) -> Tape | None:
        """Return a tape that has done its work, if there is one; its arena's memory is taken back."""
        try:
            tape = self._tapes.pop()
        except IndexError:
            return None
        arena_of(tape).reset()
        return tape

    def return_tape(self, tape: Tape) -> None:
        """Say that nothing on the tape is needed any more; what did not come from its arena goes now."""
        tape.clear()
        self._tapes.append(tape)

    def take_gradient(self, like: Parameters) -> Parameters:
        """Return uninitialised memory for a gradient of such parameters; what is there for others is dropped."""
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


def arena_of(tape: Tape) -> Arena:
    """Return where a tape of the engine has its memory."""
    assert isinstance(tape.arena, Arena)
    return tape.arena
