"""What a measurement of speed comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True)
class StepTime:
    """Milliseconds of one step, over many."""

    min: float
    median: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Sum up what was measured."""
        return cls(1000 * min(seconds), 1000 * median(seconds))


@dataclass(frozen=True)
class LayerTime:
    """One layer over the whole batch on one core: medians, and the rate of its products, forward and backward.

    `kernel` is what a convolution runs on; a layer without products has no rate. The share is of what this core
    does in one large product.
    """

    name: str
    type: str
    kernel: str | None
    forward_ms: float
    backward_ms: float
    gflops: float | None
    share_of_gemm_rate: float | None


@dataclass(frozen=True)
class Variant:
    """The opponent with its tensors laid out in one of the ways that it knows."""

    name: str
    step_ms: StepTime


@dataclass(frozen=True)
class Opponent:
    """The same step elsewhere, in turns with ours. `ratio` is its best variant's median over ours: above 1 we win."""

    name: str
    variants: tuple[Variant, ...]
    ratio: float


@dataclass(frozen=True)
class Bench:
    """A training step, update included, over a batch of `source`.

    `gemm_gflops` is what `threads` cores do in large products of their own, in the same run; the share of it counts
    direct convolution's operations, whatever the kernels do instead.
    """

    source: str
    batch: int
    micro_batch: int
    peak_memory_bytes: int
    threads: int
    dtype: str
    step_ms: StepTime
    images_per_second: float
    gemm_gflops: float
    share_of_gemm_rate: float
    layers: tuple[LayerTime, ...]
    loss_ms: float
    update_ms: float
    against: Opponent | None
