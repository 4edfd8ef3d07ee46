"""A second look at a tensor that is wrong: more entries, and the wrong one where the sample missed it."""

import numpy as np

from cnnbp.arrays import Arena
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.comparison import DIFFERENT, Finding, Verdict
from cnnbp.gradcheck.computation import hold_branches
from cnnbp.gradcheck.examination import Examination
from cnnbp.gradcheck.numeric import COMPLEX_STEP
from cnnbp.gradcheck.sampling import sample
from cnnbp.gradcheck.workers import Workers

CLOSER = 512  # entries: a pattern needs some in each channel


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
