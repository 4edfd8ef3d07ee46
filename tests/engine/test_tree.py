"""The fixed tree: whoever holds which leaves, the sums are the same."""

import numpy as np
import pytest

from cnnbp.engine.free_list import FreeList
from cnnbp.engine.ranks import ALONE, run_of
from cnnbp.engine.tree import Division, GradientSum, largest_nodes, tree_sum
from cnnbp.parameters import Layout
from tests.engine.thread_ranks import ThreadRanks, on_ranks


def added_as_text(left: str, right: str) -> str:
    return f"({left}+{right})"


def test_neighbours_are_added_and_one_without_a_neighbour_is_passed_up() -> None:
    assert tree_sum("0", added_as_text) == "0"
    assert tree_sum("01234", added_as_text) == "(((0+1)+(2+3))+4)"
    assert tree_sum("0123456", added_as_text) == "(((0+1)+(2+3))+((4+5)+6))"


@pytest.mark.parametrize(
    ("start", "end", "count", "nodes"),
    [
        (0, 8, 8, [(3, 0)]),
        (2, 5, 8, [(1, 1), (0, 4)]),
        (5, 8, 8, [(0, 5), (1, 3)]),
        (4, 5, 5, [(2, 1)]),  # passed up twice
        (3, 3, 8, []),
        (0, 1, 1, [(0, 0)]),
    ],
)
def test_a_run_of_leaves_is_made_up_of_the_largest_nodes(
    start: int, end: int, count: int, nodes: list[tuple[int, int]]
) -> None:
    assert largest_nodes(start, end, count) == nodes


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 16])
def test_any_number_of_ranks_gives_the_same_bits(count: int, size: int) -> None:
    leaves = np.random.default_rng(count).normal(size=(count, 5))
    layout = Layout({"dense1": {"W": (5,)}})

    def work(ranks: ThreadRanks) -> tuple[bytes, bytes]:
        run, memory = run_of(count, ranks), FreeList()
        division = Division.of(ranks, len(run), 3 * len(run))
        assert (division.count, division.size, division.first) == (count, 3 * count, run.start)
        statistics = division.sum([leaves[place] for place in run], np.add)
        total = GradientSum(division, memory)
        for place in reversed(run):
            gradient = layout.empty(np.float64)
            gradient.vector[...] = leaves[place]
            total.add(place, gradient)
        return statistics.tobytes(), total.total(layout.empty(np.float64)).vector.tobytes()

    expected = tree_sum(list(leaves), np.add).tobytes()
    assert on_ranks(size, work) == [(expected, expected)] * size


def test_ranks_take_contiguous_runs_and_the_first_always_has_one() -> None:
    def run(count: int, size: int) -> list[range]:
        return on_ranks(size, lambda ranks: run_of(count, ranks))

    assert run(8, 3) == [range(0, 3), range(3, 6), range(6, 8)]
    assert run(1, 4) == [range(0, 1), range(1, 1), range(1, 1), range(1, 1)]
    assert run_of(5, ALONE) == range(5)


def test_a_process_on_its_own_combines_what_it_has():
    out = np.zeros(2)
    ALONE.combine([np.array([1.0, 2]), np.array([3.0, 4])], [2], sum, out)
    assert out.tolist() == [4, 6]
