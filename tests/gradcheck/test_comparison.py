from dataclasses import replace

import numpy as np
import pytest

from cnnbp.gradcheck.comparison import Verdict, compare, compare_along, is_in_doubt
from tests.gradcheck.functions import FunctionClaim, probe

THETA = np.array([0.3, -0.7, 1.1, 0.5])
ALL = np.arange(4)
USED = np.array([1, 1, 1, 0])  # the last entry has no influence
RIGHT = 3 * THETA**2 * USED


def cubes(columns):
    return (columns**3 * USED[:, None]).sum(axis=0)


def real_cubes(columns):
    """Right for real numbers, useless for the complex step."""
    return cubes(columns.real)


def verdicts(function, gradient, h=2.0**-10, **options):
    claim = FunctionClaim(function, THETA, np.asarray(gradient), **options)
    return compare(probe(claim), ALL, h).verdicts.tolist()


def test_right_entries_pass_and_nothing_is_zero():
    assert verdicts(cubes, RIGHT) == [Verdict.PASS, Verdict.PASS, Verdict.PASS, Verdict.ZERO]


@pytest.mark.parametrize("factor", [2, -1, 0, 1 + 1e-4, 1 + 1e-6, 1 + 1e-7])
def test_a_wrong_entry_fails_and_no_other_one(factor):
    gradient = RIGHT * [1, factor, 1, 1]
    assert verdicts(cubes, gradient) == [Verdict.PASS, Verdict.FAIL, Verdict.PASS, Verdict.ZERO]


def test_an_entry_that_should_be_0_and_is_not_fails():
    assert verdicts(cubes, RIGHT + np.array([0, 0, 0, 1e-6]))[3] == Verdict.FAIL


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_a_number_fails(wrong):
    assert verdicts(cubes, [wrong, *RIGHT[1:]])[0] == Verdict.FAIL


def test_where_rounding_hides_the_difference_the_complex_step_decides():
    gradient = RIGHT * [1, 1 + 1e-6, 1, 1]
    assert verdicts(cubes, gradient, size=1e9) == [Verdict.PASS, Verdict.FAIL, Verdict.PASS, Verdict.ZERO]


def test_where_rounding_hides_the_difference_and_the_complex_step_is_no_help_it_is_inconclusive():
    theta_verdicts = verdicts(real_cubes, RIGHT, size=1e9)
    assert theta_verdicts == [Verdict.INCONCLUSIVE] * 3 + [Verdict.ZERO]


def test_a_difference_between_rounding_and_mistake_is_inconclusive():
    assert verdicts(cubes, RIGHT * [1, 1 + 2e-9, 1, 1], size=1e9)[1] == Verdict.INCONCLUSIVE


def test_no_gradient_is_asked_for_more_digits_than_its_computation_keeps():
    off = RIGHT + np.array([1e-5, 0, 0, 0])
    assert verdicts(cubes, off)[0] == Verdict.FAIL
    assert verdicts(cubes, off, uncertain=1e-4)[0] == Verdict.PASS  # about 1/2700 of the entry
    assert verdicts(cubes, off, uncertain=1e-2)[0] == Verdict.INCONCLUSIVE  # says nothing any more
    assert verdicts(cubes, off, uncertain=10.0)[0] == Verdict.ZERO


@pytest.mark.parametrize(("factor", "verdict"), [(1, Verdict.PASS), (1 + 1e-6, Verdict.FAIL)])
def test_a_random_direction_judges_the_whole_tensor(factor, verdict):
    claim = FunctionClaim(cubes, THETA, RIGHT * factor)
    assert compare_along(probe(claim)).verdict == verdict


def test_there_is_no_direction_without_a_complex_step():
    assert compare_along(probe(FunctionClaim(real_cubes, THETA, RIGHT))) is None


@pytest.mark.parametrize(
    ("off", "uncertain", "doubt"),
    [(0, 1e-6, False), (1e-5, 0.0, False), (1e-5, 1e-8, False), (1e-5, 1e-6, True), (1e-5, 1e-2, True)],
)
def test_what_is_wrong_by_a_few_roundings_is_in_doubt(off, uncertain, doubt):
    claim = FunctionClaim(cubes, THETA, RIGHT + off * USED, uncertain=uncertain)
    assert is_in_doubt(compare(probe(claim), ALL, 2.0**-10), None, claim) == doubt


def test_a_direction_can_be_in_doubt_alone():
    claim = FunctionClaim(cubes, THETA, RIGHT + 1e-5 * USED, uncertain=1e-6)
    right = compare(probe(replace(claim, gradient=RIGHT)), ALL, 2.0**-10)
    assert is_in_doubt(right, compare_along(probe(claim)), claim)
    certain = replace(claim, uncertain=0.0)
    assert not is_in_doubt(right, compare_along(probe(certain)), certain)
