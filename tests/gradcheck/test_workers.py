from threading import Barrier

import pytest

from cnnbp.arrays import Arena
from cnnbp.gradcheck.workers import Workers


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_pieces(threads):
    with Workers(threads) as workers:
        assert list(workers.map(lambda piece, arena: 2 * piece, range(40))) == list(range(0, 80, 2))


def test_two_pieces_at_once_never_share_an_arena():
    barrier = Barrier(2, timeout=30)

    def arena_of(piece, arena):
        barrier.wait()
        return id(arena)

    with Workers(2) as workers:
        for _ in range(20):
            first, second = workers.map(arena_of, [0, 1])
            assert first != second


def test_a_worker_alone_keeps_to_the_arena_of_its_piece():
    with Workers(2) as workers:
        arena = Arena()
        alone = workers.alone(arena)
        assert list(alone.map(lambda piece, own: own is arena, range(3))) == [True] * 3


def test_an_error_in_a_piece_comes_out():
    with Workers(2) as workers, pytest.raises(ZeroDivisionError):
        list(workers.map(lambda piece, arena: 1 // piece, [1, 0]))
