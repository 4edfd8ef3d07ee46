"""Put a claim to the test: which entries, which step, and what came out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.comparison import Comparison, Direction, compare, compare_along
from cnnbp.gradcheck.numeric import EVALUATIONS, Probe, step_size
from cnnbp.gradcheck.sampling import sample
from cnnbp.gradcheck.workers import Workers

DEFAULT_WORK = 2_000_000_000  # multiply-adds that a default check spends on differences
FEWEST, MOST = 1, 512  # entries per tensor in a default check


@dataclass(frozen=True)
class Finding:
    """What came out; `direction` is None where every entry was checked."""

    claim: Claim
    comparison: Comparison
    direction: Direction | None


@dataclass(frozen=True)
class Examination:
    """A claim, and the entries to check (flat indices)."""

    claim: Claim
    entries: Array

    def run(self, workers: Workers, advance: Callable[[int], None]) -> Finding:
        """Check the entries, and one random direction of the whole tensor where they are a sample."""
        probe = Probe(self.claim, workers, advance)
        comparison = compare(probe, self.entries, 1.0 if probe.is_affine else step_size(self.claim.theta))
        is_sample = len(self.entries) < self.claim.theta.size
        return Finding(self.claim, comparison, compare_along(probe) if is_sample else None)


def examinations(claims: Sequence[Claim], entries: int | None, seed: int) -> list[Examination]:
    """Plan to check at most `entries` entries of each claim; None: as many as the default work allows."""
    budgets = affordable(claims) if entries is None else [entries] * len(claims)
    return [
        Examination(claim, sample(claim.theta.shape, budget, seed))
        for claim, budget in zip(claims, budgets, strict=True)
    ]


def run_all(planned: Sequence[Examination], workers: Workers, advance: Callable[[int], None]) -> list[Finding]:
    """Run examinations: those of a single stack side by side, of the others each one's stacks."""
    findings: dict[int, Finding] = {}
    short = [i for i, examination in enumerate(planned) if len(examination.entries) <= examination.claim.copies // 2]

    def run(index: int, arena: Arena) -> Finding:
        return planned[index].run(workers.alone(), lambda entries: None)

    for index, finding in zip(short, workers.map(run, short), strict=True):
        findings[index] = finding
        advance(len(planned[index].entries))
    for index in set(range(len(planned))).difference(short):
        findings[index] = planned[index].run(workers, advance)
    return [findings[index] for index in range(len(planned))]


def affordable(claims: Sequence[Claim]) -> list[int]:
    """Share the default work out evenly; what a cheap claim does not need goes to the dearer ones."""
    prices = [EVALUATIONS * claim.work for claim in claims]
    wanted = [min(claim.theta.size, MOST) for claim in claims]
    budgets, left = [0] * len(claims), DEFAULT_WORK
    for position, index in enumerate(sorted(range(len(claims)), key=lambda i: prices[i] * wanted[i])):
        share = left // (len(claims) - position)
        budgets[index] = max(FEWEST, min(wanted[index], share // prices[index]))
        left = max(0, left - budgets[index] * prices[index])
    return budgets
