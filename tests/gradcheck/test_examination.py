import numpy as np
import pytest

from cnnbp.gradcheck.comparison import Verdict
from cnnbp.gradcheck.examination import (
    FEW,
    MOST,
    Examination,
    affordable,
    brief_examinations,
    examinations,
    run_all,
)
from cnnbp.gradcheck.workers import Workers
from tests.gradcheck.functions import FunctionClaim

THETA = np.linspace(-1, 1, 20)


def cubes(columns):
    return (columns**3).sum(axis=0)


def claim(gradient=3 * THETA**2, **options):
    return FunctionClaim(cubes, THETA, gradient, **options)


def run(examination):
    with Workers(1) as workers:
        return examination.run(workers, lambda done: None)


def test_all_entries_are_checked_if_they_may_be_and_else_a_sample_and_a_direction():
    [every], [some] = examinations([claim()], 20, seed=0), examinations([claim()], 7, seed=0)
    assert run(every).direction is None
    assert run(every).comparison.entries.tolist() == list(range(20))
    assert run(some).direction.verdict == Verdict.PASS
    assert len(run(some).comparison.entries) == 7


def test_a_brief_look_takes_two_entries_of_what_is_cheap_and_the_dearest_along_a_direction():
    claims = [claim(name="cheap"), claim(name="dear", work=10**10), claim(name="dearest", work=2 * 10**10)]
    [cheap, dearest] = brief_examinations(claims, seed=0)
    assert (cheap.claim.name, len(cheap.entries), run(cheap).direction) == ("cheap", FEW, None)
    assert (dearest.claim.name, len(dearest.entries)) == ("dearest", 1)
    assert run(dearest).direction.verdict == Verdict.PASS


@pytest.mark.parametrize(("certainly", "verdict"), [(1e-7, Verdict.FAIL), (1e-5, Verdict.PASS)])
def test_what_is_wrong_by_little_is_compared_again_with_its_rounding_better_known(certainly, verdict):
    off = claim(3 * THETA**2 * (1 + 1e-6), uncertain=1e-7, certainly=certainly)
    entry = np.array([0])  # the largest: 3
    assert run(Examination(off, entry, takes_direction=False)).comparison.verdicts.tolist() == [verdict]


def test_what_is_wrong_by_much_is_not():
    far_off = claim(6 * THETA**2, uncertain=1e-6, certainly=1e6)
    assert run(Examination(far_off, np.array([0]))).comparison.verdicts.tolist() == [Verdict.FAIL]


def test_findings_come_in_the_order_of_the_plan_and_every_entry_is_counted():
    long, short = claim(name="long", copies=4), claim(name="short", work=7)
    planned = examinations([long, short, long], 20, seed=0)
    counted = []
    with Workers(2) as workers:
        findings = run_all(planned, workers, counted.append)
    assert [finding.claim.name for finding in findings] == ["long", "short", "long"]
    assert sum(counted) == 60


def test_what_cheap_claims_do_not_need_goes_to_dearer_ones():
    big = np.zeros(10_000)
    dear = FunctionClaim(cubes, big, big, work=1000)
    assert affordable([dear, dear], 1, MOST, work=800_000) == [100, 100]
    assert affordable([claim(), dear], 1, MOST, work=800_000) == [20, 199]
    assert affordable([claim(work=10**9)] * 3, 1, MOST, work=1) == [1, 1, 1]
    assert affordable([FunctionClaim(cubes, big, big)], 1, MOST, work=10**9) == [MOST]
