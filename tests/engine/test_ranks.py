"""What must be the same on every rank."""

import pytest

from cnnbp.engine.ranks import ALONE, require_same
from cnnbp.errors import DataError
from tests.engine.thread_ranks import on_ranks


def test_the_same_everywhere_is_fine():
    assert on_ranks(3, lambda ranks: require_same("settings", "a", ranks)) == [None] * 3
    require_same("settings", "a", ALONE)


def test_the_first_rank_that_differs_is_named_on_all_of_them():
    def work(ranks):
        ranks.host = f"host{ranks.rank}"
        with pytest.raises(DataError) as caught:
            require_same("settings", "b" if ranks.rank > 1 else "a", ranks)
        return str(caught.value)

    assert on_ranks(4, work) == ["rank 2 on host2 has other settings than rank 0 on host0"] * 4
