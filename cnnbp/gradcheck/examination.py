"""Put a claim to the test: which entries, which step, and what came out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.comparison import Comparison, Direction, compare, compare_along
from cnnbp.gradcheck.numeric import Probe, step_size
from cnnbp.gradcheck.sampling import sample
from cnnbp.gradcheck.workers import Workers

DEFAULT_WORK = 2 << 27  # multiply-adds that the differences of one tensor may take by default
DEFAULT_ENTRIES = range(16, 257)


@dataclass(frozen=True)
class Examination:
    """A claim, the entries to check (flat indices) and the step h."""

    claim: Claim
    entries: Array
    h: float

    def run(self, workers: Workers, advance: Callable[[int], None]) -> "Finding":
        """Check the entries, and one random direction of the whole tensor where they are a sample."""
        probe = Probe(self.claim, workers, advance)
        comparison = compare(probe, self.entries, self.h)
        if len(self.entries) == self.claim.theta.size or not probe.is_complex_safe:
            return Finding(self.claim, comparison, None)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], self.claim.theta.shape)
        return Finding(self.claim, comparison, compare_along(probe, signs))


@dataclass(frozen=True)
class Finding:
    """What came out; `direction` is None where every entry was checked."""

    claim: Claim
    comparison: Comparison
    direction: Direction | None


def examination(claim: Claim, entries: int | None, seed: int, h: float | None = None) -> Examination:
    """Plan to check at most `entries` entries of a claim; None: as many as are affordable."""
    budget = affordable(claim.work) if entries is None else entries
    return Examination(claim, sample(claim.theta.shape, budget, seed), h or step_size(claim.theta))


def affordable(work: int) -> int:
    """Return how many entries to check by default where evaluating one copy takes so many multiply-adds."""
    return min(max(DEFAULT_WORK // (4 * work), DEFAULT_ENTRIES.start), DEFAULT_ENTRIES.stop - 1)
