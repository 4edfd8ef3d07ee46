"""A short soak; `make gradcheck-soak` runs the long one."""

import pytest

from tests.gradcheck.foreign.people import PEOPLE
from tests.gradcheck.foreign.soak import MISTAKES, UNSEEN, right, wrong

SMALL, MIDDLE, TIED = 0, 1, 9  # points: of 5 and 50 numbers, and of 50 rounded to halves


@pytest.mark.parametrize("name", PEOPLE)
def test_a_function_as_people_write_them_passes_and_a_mistake_in_it_is_found(name):
    written, number = PEOPLE[name], list(PEOPLE).index(name)
    for point in (SMALL, TIED if number % 2 else MIDDLE):
        right(written, point).raise_if_wrong()
    seen = [mistake for mistake in MISTAKES if (name, mistake) not in UNSEEN]
    mistake = seen[number % len(seen)]
    assert wrong(written, MIDDLE, MISTAKES[mistake]).verdict == "fail", mistake


def test_there_are_enough_of_them():
    assert len(PEOPLE) >= 60
