"""What a check looks like: in 80 columns nothing is cut in two, and what matters is there."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cnnbp.gradcheck.bugs import plant
from cnnbp.gradcheck.selftest import check_subject, networks, self_test
from cnnbp.report.gradcheck import draw_gradcheck, gradcheck_document
from cnnbp.report.selftest import draw_self_test, self_test_document

SUBJECTS = networks()


def drawn(draw, report, width=80):
    file = io.StringIO()
    draw(report, Console(file=file, width=width, markup=False, emoji=False, highlight=False))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return [line.rstrip() for line in lines]


def broken(spelling, subject="blocks"):
    return check_subject(*plant(*SUBJECTS[subject], spelling))


def inconclusive():
    """Return a check in which one entry of a tensor could not be told right."""
    report = check_subject(*SUBJECTS["lecture"])
    first, *rest = report.tensors
    return replace(report, tensors=(replace(first, passed=first.passed - 1, inconclusive=1), *rest))


@pytest.mark.parametrize("width", [80, 140])
def test_a_pass_has_no_worst_entries(width):
    lines = drawn(draw_gradcheck, check_subject(*SUBJECTS["lecture"]), width)
    assert lines[0] == "Each layer alone"
    assert lines[-1].startswith("PASS  ")
    assert "failed" not in "".join(lines)


@pytest.mark.parametrize("width", [80, 140])
def test_a_failure_names_the_layer_the_mistake_and_the_worst_entry(width):
    lines = drawn(draw_gradcheck, broken("batchnorm2:eps-dropped"), width)
    at = next(i for i, line in enumerate(lines) if line.startswith("FAIL  batchnorm2  "))
    assert lines[at + 1] == "  batchnorm2: ε is missing from 1/√(σ² + ε) in dx; dgamma and dbeta are right"
    assert any(line.startswith("batchnorm2 ") and line.endswith("dx") for line in lines)
    assert any(line.endswith("comes through batchnorm2") for line in lines)
    [worst] = (line for line in lines if line.split()[:3] == ["fail", "batchnorm2", "dx"])
    assert "  [" in worst


def test_a_hint_that_is_long_goes_on_behind_its_indentation():
    lines = drawn(draw_gradcheck, broken("conv2d2:dX-unflipped"))
    at = next(i for i, line in enumerate(lines) if line.startswith("FAIL"))
    assert lines[at + 1].startswith("  conv2d2: dx is right with W turned by 180°")
    assert lines[at + 2].startswith("  ")


def test_what_is_inconclusive_says_what_that_means_and_where():
    lines = drawn(draw_gradcheck, inconclusive())
    at = next(i for i, line in enumerate(lines) if line.startswith("INCONCLUSIVE  "))
    assert "neither right nor wrong for sure" in lines[at + 1]
    assert any("∂L/∂conv2d1.W" in line and line.startswith("inconclusive") for line in lines[at:])


def test_a_wrong_gradient_between_right_layers_is_the_wiring_or_the_scaling():
    report = broken("loss:no-1/M")
    right = tuple(replace(layer, tensors=(), problems=()) for layer in report.layers)
    tensors = tuple(replace(t, hint="3 (M) times too large" if t.failed else None) for t in report.tensors)
    lines = drawn(draw_gradcheck, replace(report, layers=right, tensors=tensors, jittered=()), 140)
    assert "  every layer is right alone: it is the wiring or the scaling; 3 (M) times too large" in lines


def test_the_document_holds_what_the_tables_show():
    document = json.loads(json.dumps(gradcheck_document(broken("dense1:db-doubled", "lecture")), default=list))
    assert (document["verdict"], document["blame"]) == ("fail", ["dense1"])
    assert document["hint"].startswith("dense1: db: 2 times too large")
    [dense] = (layer for layer in document["layers"] if layer["name"] == "dense1")
    assert dense["hint"].startswith("db: 2 times")
    [bias] = (tensor for tensor in document["tensors"] if tensor["name"] == "dense1.b")
    assert bias["hint"] == "2 times too large: added twice"
    assert {"index", "analytic", "numeric", "bound", "kink", "ratio"} == bias["worst"].keys()
    assert {"shape", "checked", "passed", "failed", "zero", "inconclusive", "max_relative_error"} <= bias.keys()


def test_the_self_test_has_a_line_for_each_bug_and_says_what_got_away():
    report = self_test({"lecture": SUBJECTS["lecture"]}, only=lambda fit: fit.layer in ("dense1", "loss"))
    lines = drawn(draw_self_test, report)
    assert lines[-2].startswith(f"PASS  {len(report.detections)} bugs planted, ")
    assert lines[-1].strip() == "without any bug: no alarm in lecture"
    escaped = replace(report.detections[0], detected=False, blame=())
    missed = replace(report, detections=(escaped, *report.detections[1:]), unbroken={"lecture": "fail"})
    lines = drawn(draw_self_test, missed)
    assert f"lecture: dense1:{escaped.bug} not detected" in lines
    assert lines[-1] == "without any bug: lecture is fail"
    assert self_test_document(missed)["detected"] == len(report.detections) - 1


def test_a_check_of_layers_alone_has_nothing_to_say_of_the_network():
    alone = replace(check_subject(*SUBJECTS["lecture"]), tensors=(), jittered=(), float32=None)
    lines = drawn(draw_gradcheck, alone)
    assert "End to end" not in lines
    assert not any(line.startswith("pass  ") for line in lines)
    assert gradcheck_document(alone)["float32"] is None
