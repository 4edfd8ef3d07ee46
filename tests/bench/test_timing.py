from itertools import pairwise

from cnnbp.bench.timing import ROUNDS, take_turns


def test_every_contender_has_its_turn_in_every_round():
    calls, rounds = [], []
    contenders = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    times = take_turns(contenders, 1e-6, lambda done, total: rounds.append((done, total, len(calls))))
    assert [done for done, _, _ in rounds] == list(range(ROUNDS))
    for (*_, before), (*_, after) in pairwise(rounds):
        assert set(calls[before:after]) == {"a", "b"}
    assert all(len(seconds) >= ROUNDS and min(seconds) >= 0 for seconds in times.values())
