from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from cnnbp.gradcheck import GradcheckReport, LayerResult, WorstEntry, WrongGradientError
from cnnbp.gradcheck.endtoend import network_case
from cnnbp.gradcheck.examination import Examination
from cnnbp.gradcheck.results import gravest, tensor_result
from cnnbp.gradcheck.single import Float32Result, Float32Tensor
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import Dense, Flatten
from tests.gradcheck.points import point

[CLAIM, *_] = network_case(point((Flatten(), Dense(units=2)), shape=(1, 1, 3))).claims  # dense1.W, 2×3
RIGHT = CLAIM.gradient


def result(gradient=RIGHT, entries=range(6)):
    with Workers(1) as workers:
        examination = Examination(replace(CLAIM, gradient=gradient), np.array(entries))
        return tensor_result(examination.run(workers, lambda done: None), CLAIM.name)


def wrong_at(index):
    gradient = RIGHT.copy()
    gradient[index] *= 2
    return gradient


def layer(name, *tensors, **options):
    return LayerResult(name, "dense", tensors, **options)


def report(tensors=(), layers=(), **options):
    return GradcheckReport(tuple(tensors), tuple(layers), options.pop("problems", ()), 2.0, **options)


def test_the_gravest_outcome_is_that_of_the_whole():
    assert gravest(["pass", "inconclusive", "fail"]) == "fail"
    assert gravest(["pass", "inconclusive"]) == "inconclusive"
    assert gravest(["pass"]) == gravest([]) == "pass"


def test_a_tensors_entries_are_counted_by_verdict():
    right, wrong = result(), result(wrong_at((0, 2)))
    assert (right.name, right.shape, right.checked) == ("dense1.W", (2, 3), 6)
    assert (right.passed, right.zero, right.failed, right.verdict) == (6, 0, 0, "pass")
    assert (wrong.passed, wrong.failed, wrong.verdict) == (5, 1, "fail")
    assert right.max_relative_error < 1e-8
    assert wrong.max_relative_error == pytest.approx(0.5)


def test_the_worst_entry_is_a_wrong_one_with_both_values_and_their_ratio():
    worst = result(wrong_at((0, 1))).worst
    assert worst.index == (0, 1)
    assert (worst.analytic, worst.numeric) == (2 * RIGHT[0, 1], pytest.approx(RIGHT[0, 1]))
    assert worst.ratio == pytest.approx(2)
    assert not worst.kink


def test_there_is_no_ratio_to_nothing():
    assert isnan(WorstEntry((0,), 1.0, 0.0, 1e-9, kink=False).ratio)


def test_a_tensor_that_is_wrong_only_along_its_direction_fails():
    missed = result(wrong_at((0, 2)), entries=[0, 1])
    assert (missed.failed, missed.direction, missed.verdict) == (0, "fail", "fail")
    assert "--full finds them" in missed.hint


def test_a_layer_fails_with_a_tensor_or_with_something_that_must_not_happen():
    assert layer("dense1", result()).verdict == "pass"
    assert layer("dense1", result(), result(wrong_at((0, 0)))).verdict == "fail"
    assert layer("dense1", result(), problems=("backward changes its input",)).verdict == "fail"


def test_layers_that_fail_alone_are_blamed_and_the_first_that_knows_says_why():
    guilty = layer("b", result(wrong_at((0, 0))), hint="twice too large"), layer("c", result(wrong_at((0, 0))))
    whole = report([result(wrong_at((0, 0)))], [layer("a", result()), *guilty])
    assert (whole.verdict, whole.blame, whole.hint) == ("fail", ("b", "c"), "b: twice too large")


def test_where_every_layer_is_right_alone_what_stands_between_them_is_wrong():
    whole = report([result(2 * RIGHT)], [layer("a", result())])
    assert (whole.verdict, whole.blame) == ("fail", ())
    assert whole.hint.startswith("every layer is right alone: it is the wiring or the scaling; ")
    assert report([result()], [layer("a", result())]).hint is None


@pytest.mark.parametrize(
    "options",
    [
        {"problems": ("the loss is NaN",)},
        {"jittered": (result(2 * RIGHT),)},
        {"float32": Float32Result((Float32Tensor("dense1.W", (2, 3), 1e6, 1.0),), 0, 0)},
        {"float32": Float32Result((Float32Tensor("dense1.W", (2, 3), float("nan"), 1.0),), 0, 0)},
    ],
    ids=["problem", "jittered", "float32", "nan in float32"],
)
def test_whatever_is_wrong_anywhere_fails_the_whole(options):
    assert report([result()], [layer("a", result())]).verdict == "pass"
    assert report([result()], [layer("a", result())], **options).verdict == "fail"


def test_what_is_open_makes_the_whole_inconclusive_unless_something_fails():
    still_open = replace(result(), inconclusive=1)
    assert report([still_open], [layer("a", result())]).verdict == "inconclusive"
    assert report([still_open], [layer("a", result(2 * RIGHT))]).verdict == "fail"


def test_every_entry_counts_wherever_it_was_checked():
    whole = report([result()], [layer("a", result(), result())], jittered=(result(entries=[1]),))
    assert whole.checked == 19
    assert whole.entries_per_second == 9.5


def test_only_what_passes_raises_nothing():
    report([result()]).raise_if_wrong()
    with pytest.raises(WrongGradientError, match=r"∂L/∂dense1.W fail: 1 of 6 entries; worst at \[0, 2\]: analytic"):
        report([result(wrong_at((0, 2)))]).raise_if_wrong()
    with pytest.raises(AssertionError, match=r"^inconclusive"):
        report([replace(result(), inconclusive=1)]).raise_if_wrong()
