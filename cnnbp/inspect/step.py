"""One step of a derivation."""

from dataclasses import dataclass, field

from cnnbp.arrays import Array


@dataclass(frozen=True, eq=False)
class Step:
    """A tensor with its symbol, its formula and its numbers, (…, M).

    `layer` made it; it is empty for the images and the loss. `reads` are the symbols that the formula is of.
    """

    symbol: str
    formula: str
    layer: str
    value: Array
    reads: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, eq=False)
class ParameterStep(Step):
    """A parameter's gradient: `images` (…, M) is the stack with a slice for each image, `value` (…) their sum.

    `images` is None where the images are coupled, and where nobody will look at numbers one by one.
    """

    images: Array | None
