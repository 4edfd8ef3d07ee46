"""The catalogue's mistakes in fast code and in engines: where each shows, and that it is found there."""

from collections import Counter

import numpy as np
import pytest

from cnnbp.errors import ConfigError
from cnnbp.gradcheck import Training
from cnnbp.gradcheck.bugs import ENGINE_BUGS, FAST_BUGS, fitting_bugs, plant, plant_in_training
from cnnbp.gradcheck.selftest import bugs_in_training, self_test, trained_networks

SUBJECTS = trained_networks()
PLANTED = [fit for subject in SUBJECTS.values() for fit in bugs_in_training(*subject)]


def test_there_are_at_least_thirty_with_names_of_their_own_and_each_shows_somewhere():
    names = [bug.name for bug in (*FAST_BUGS, *ENGINE_BUGS)]
    assert len(names) >= 30
    assert set(Counter(names).values()) == {1}
    assert {fit.bug for fit in PLANTED} == set(names)


def test_each_is_found_and_blamed_on_its_node_or_the_engine():
    seen = set()

    def first(fit):
        return fit.bug not in seen and not seen.add(fit.bug)

    report = self_test({}, only=first, trained=SUBJECTS)
    assert [detection for detection in report.detections if not detection.caught] == []
    assert report.unbroken == dict.fromkeys(SUBJECTS, "pass")
    assert len(report.detections) == len(FAST_BUGS) + len(ENGINE_BUGS)
    assert all(detection.hint.startswith(f"as trained, {detection.layer}") for detection in report.detections)


def test_a_plan_with_a_mistake_leaves_the_right_one_alone():
    network, _, training = SUBJECTS["strips"]
    before = training.plan(network).operations
    broken = plant_in_training(network, training, "conv2d2:fast-dX-zero")
    after = broken.plan(network).operations
    assert training.plan(network).operations is before
    assert [a is b for a, b in zip(before, after, strict=True)].count(False) == 1
    assert broken.plan(network) is broken.plan(network)


def test_those_of_several_micro_batches_are_offered_where_there_are_several():
    network, loss, _ = SUBJECTS["strips"]
    for batch, offered in ((8, False), (16, True)):
        names = {fit.bug for fit in fitting_bugs(network, loss, Training(batch, 8)) if fit.layer == "engine"}
        assert ("gradient-lost" in names) == offered
        assert {"stale-parameters", "stale-images", "same-masks"} <= names


@pytest.mark.parametrize(
    ("spelling", "hint"),
    [
        ("conv2d2:fast-dW-scald", 'did you mean "fast-dW-scaled"?'),
        ("engine:stale-params", 'did you mean "stale-parameters"?'),
        ("dense1:fast-transform-entry", "fast-transform-entry does not show in dense1; these do:"),
    ],
)
def test_a_spelling_that_names_none_is_refused_with_what_would_do(spelling, hint):
    network, loss, training = SUBJECTS["strips"]
    assert plant_in_training(network, training, spelling) is None
    with pytest.raises(ConfigError, match="no bug") as caught:
        plant(network, loss, spelling, training)
    assert hint in str(caught.value)


def test_a_broken_engine_is_right_where_it_is_only_observed():
    network, loss, training = SUBJECTS["strips"]
    params, state = network.initial_parameters(0), network.initial_state()
    from cnnbp.gradcheck.point import Point
    from cnnbp.gradcheck.whole_step import _Trace, micro_batches

    x = np.random.default_rng(0).normal(size=(1, 16, 16, 16)).astype(np.float32)
    at = Point(network, loss, params, state, x, np.arange(16) % 3)
    broken = plant_in_training(network, training, "engine:gradient-twice").engine(network, loss, threads=1)
    with broken, training.engine(network, loss, threads=1) as right:
        batch = micro_batches(at, 8)
        seen = broken.observe(_Trace(at, 0), params, state, batch, 1)
        np.testing.assert_array_equal(seen.gradient.vector, right.step(params, state, batch, 1).gradient.vector)
        assert not np.array_equal(broken.step(params, state, batch, 1).gradient.vector, seen.gradient.vector)
