"""Put a claim to the test: which entries, which step, and what came out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.comparison import DIFFERENT, Finding, Verdict, compare, compare_along, is_in_doubt
from cnnbp.gradcheck.computation import hold_branches
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.examination import PairExamination
from cnnbp.gradcheck.numeric import COMPLEX_STEP, EVALUATIONS, Probe, step_size
from cnnbp.gradcheck.sampling import sample
from cnnbp.gradcheck.workers import Workers

DEFAULT_WORK = 2_000_000_000  # multiply-adds that a default check spends on differences
FEWEST, MOST = 1, 512  # entries per tensor in a default check
CLOSER = 512  # entries of a tensor that is wrong: a pattern needs some in each channel
FEW_WORK, FEW = DEFAULT_WORK // 8, 2  # the same of a second look


@dataclass(frozen=True)
class Examination:
    """A claim, the entries to check (flat indices), and whether a direction is taken where they are a sample."""

    claim: Claim
    entries: Array
    takes_direction: bool = True

    def run(self, workers: Workers, advance: Callable[[int], None]) -> Finding:
        """Check the entries, and one random direction of the whole tensor where they are a sample.

        What is wrong by little is compared once more, with its rounding better known.
        """
        finding = self._compared(self.claim, workers, advance)
        if is_in_doubt(finding.comparison, finding.direction, self.claim):
            return self._compared(self.claim.closer(), workers, lambda done: None)
        return finding

    def _compared(self, claim: Claim, workers: Workers, advance: Callable[[int], None]) -> Finding:
        probe = Probe(claim, workers, advance)
        comparison = compare(probe, self.entries, 1.0 if probe.is_affine else step_size(claim.theta))
        is_sample = self.takes_direction and len(self.entries) < claim.theta.size
        return Finding(claim, comparison, compare_along(probe) if is_sample else None)


Plan = Examination | PairExamination


def examinations(claims: Sequence[Claim], entries: int | None, seed: int) -> list[Plan]:
    """Plan to check at most `entries` entries of each claim; None: as many as the default work allows."""
    budgets = affordable(claims, FEWEST, MOST, DEFAULT_WORK) if entries is None else [entries] * len(claims)
    return [
        PairExamination.of(claim, budget, seed)
        if isinstance(claim, PairClaim)
        else Examination(claim, sample(claim.theta.shape, budget, seed))
        for claim, budget in zip(claims, budgets, strict=True)
    ]


def brief_examinations(claims: Sequence[Claim], seed: int) -> list[Examination]:
    """Plan to check an entry or two of each claim that is cheap, and the dearest one along a direction too.

    What is dearest comes through the whole network: what is wrong anywhere on the way shows in it.
    """
    dearest = max(claims, key=lambda claim: claim.work)
    budgets = affordable(claims, 0, FEW, FEW_WORK)
    wanted = [(claim, max(budget, int(claim is dearest))) for claim, budget in zip(claims, budgets, strict=True)]
    return [
        Examination(claim, sample(claim.theta.shape, budget, seed), takes_direction=claim is dearest)
        for claim, budget in wanted
        if budget
    ]


def run_all(planned: Sequence[Plan], workers: Workers, advance: Callable[[int], None]) -> list[Finding]:
    """Run examinations: those of a single stack side by side, long ones first; of the others each one's stacks.

    Functions of others may not be made for threads.
    """
    findings: dict[int, Finding] = {}
    short = [
        i
        for i, examination in enumerate(planned)
        if isinstance(examination, Examination) and len(examination.entries) <= examination.claim.copies // 2
    ]
    short.sort(key=lambda index: planned[index].claim.work, reverse=True)

    def run(index: int, arena: Arena) -> Finding:
        return planned[index].run(workers.alone(arena), lambda entries: None)

    for index, finding in zip(short, workers.map(run, short), strict=True):
        findings[index] = finding
        advance(len(planned[index].entries))
    for index in set(range(len(planned))).difference(short):
        findings[index] = planned[index].run(workers, advance)
    return [findings[index] for index in range(len(planned))]


def affordable(claims: Sequence[Claim], fewest: int, most: int, work: int) -> list[int]:
    """Share the work out evenly; what a cheap claim does not need goes to the dearer ones."""
    prices = [EVALUATIONS * claim.work for claim in claims]
    wanted = [min(claim.theta.size, most) for claim in claims]
    budgets, left = [0] * len(claims), work
    for position, index in enumerate(sorted(range(len(claims)), key=lambda i: prices[i] * wanted[i])):
        share = left // (len(claims) - position)
        budgets[index] = max(fewest, min(wanted[index], share // prices[index]))
        left = max(0, left - budgets[index] * prices[index])
    return budgets


def closer(finding: Finding) -> Finding:
    """Return the finding; of a wrong tensor that was sampled, one of more entries with a wrong one among them."""
    claim, failed = finding.claim, Verdict.FAIL in finding.comparison.verdicts
    along = finding.direction is not None and finding.direction.verdict == Verdict.FAIL
    if finding.direction is None or not (failed or along):
        return finding
    entries = sample(claim.theta.shape, max(CLOSER, len(finding.comparison.entries)), seed=0)
    if not failed:
        entries = np.union1d(entries, _halved(claim))
    return Examination(claim, entries).run(Workers(1), lambda done: None)


def _halved(claim: Claim) -> int:
    """Return an entry in which the tensor is wrong along a direction, by halving the part that is."""
    low, high = 0, claim.theta.size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_wrong(claim, low, middle) else (middle, high)
    return low


def _is_wrong(claim: Claim, low: int, high: int) -> bool:
    step = np.zeros(claim.theta.size)
    step[low:high] = np.random.default_rng([low, high]).choice([-1.0, 1.0], high - low)
    parts = claim.parts_along(COMPLEX_STEP * 1j * step.reshape(claim.theta.shape), hold_branches, Arena())
    exact, own = float(parts.imag.sum() / COMPLEX_STEP), claim.gradient.reshape(-1)[low:high]
    size = max(abs(exact), float(np.linalg.norm(own)))
    return not abs(float((own * step[low:high]).sum()) - exact) <= DIFFERENT * size
