"""A short soak; `make gradcheck-soak` runs the long one."""

from tests.gradcheck.soak import CONDITIONS, soak


def test_correct_networks_under_every_condition_raise_no_alarm():
    tallies = soak(range(5 * len(CONDITIONS)))
    assert {name: tally.networks for name, tally in tallies.items()} == {c.__name__: 5 for c in CONDITIONS}
    for tally in tallies.values():
        assert (tally.alarms, tally.failed, tally.inconclusive) == (0, 0, 0)
        assert tally.entries > 1000
