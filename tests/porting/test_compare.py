"""Planted mistakes, in networks and in numbers: the first wrong tensor is named, and what it looks like."""

from dataclasses import replace

import numpy as np
import pytest

from cnnbp.errors import ConfigError, DataError
from cnnbp.gradcheck.bugs import fitting_bugs
from cnnbp.porting.compare import compare
from cnnbp.porting.layouts import Layout
from cnnbp.porting.mistakes import forward_mistakes
from cnnbp.porting.recipes import places, recipes
from cnnbp.porting.tolerance import Tolerance
from tests.porting.references import HEAD, NORMED, PLAIN, VARIED, batch, reference, single

UNSEEN = {  # from one batch's numbers
    "dX-stale-W": "W is the first one",
    "accumulates": "nothing has been added up yet",
    "cache-changed": "after what it gives",
}
WEIGHED = PLAIN.replace("cross_entropy", "{cross_entropy: {label_smoothing: 0.1, class_weights: [1, 2, 3]}}")


def verdicts(report):
    return {tensor.name: tensor.verdict for tensor in report.tensors if tensor.verdict != "equal"}


@pytest.mark.parametrize("text", [PLAIN, NORMED, VARIED])
@pytest.mark.parametrize("layout", Layout)
def test_a_reference_is_equal_to_itself_and_to_itself_in_float32(text, layout):
    found = reference(text, layout, dropout=text == NORMED)
    exact, coarse = compare(found, found.arrays), compare(found, single(found.arrays))
    assert (exact.verdict, exact.tolerance.precision, len(exact.tensors)) == ("pass", "float64", len(found.arrays))
    assert (coarse.verdict, coarse.tolerance.precision) == ("pass", "float32")
    assert exact.closest.difference == 0 < coarse.closest.share < 0.1


@pytest.mark.parametrize("text", [PLAIN, NORMED, VARIED])
def test_each_tensor_follows_from_those_that_it_is_made_of(text):
    found = reference(text, dropout=text == NORMED)
    made = {name: recipe.make(found.arrays.__getitem__) for name, recipe in recipes(found.description).items()}
    assert made.keys() == {name for name, tensor in found.description.tensors.items() if tensor.rounding}
    for name, array in made.items():
        np.testing.assert_allclose(array, found.arrays[name], rtol=1e-12, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("precise", [True, False])
@pytest.mark.parametrize("text", [PLAIN, NORMED, VARIED, WEIGHED])
def test_each_bug_of_the_catalogue_is_found_in_the_layer_that_has_it_and_said(text, precise):
    dropout, mine = text == NORMED, batch(text)
    found = mine.reference(Layout.NCHW, dropout=dropout)
    network = mine.model.network
    sources = {node.name: [*(network.nodes[i].name if i >= 0 else "X" for i in node.inputs)] for node in network.nodes}
    seen = 0
    for bug in fitting_bugs(network, mine.model.loss):
        own = mine.with_bug(bug.spelling, Layout.NCHW, dropout=dropout)
        report = compare(found, own if precise else single(own))
        if report.first is None:
            assert is_harmless(bug, report, precise), bug.spelling
            continue
        assert report.first.verdict == "wrong"
        assert report.first.hint, bug.spelling
        own = report.first.name.removeprefix("grad/")
        layer = own.partition(".")[0]
        assert layer == bug.layer if "." in own else bug.layer == "loss" or own in sources[bug.layer], bug.spelling
        assert {tensor.verdict for tensor in report.tensors} <= {"equal", "follows", "wrong"}
        assert sum(tensor.verdict == "wrong" for tensor in report.tensors) == 1
        seen += 1
    assert seen > 25


def is_harmless(bug, report, precise):
    """Whether a bug that is not found changes nothing here: state, ties, a bias before batch norm, float32's digits."""
    if bug.bug in UNSEEN or (not precise and bug.bug in ("dW-one-millionth", "dW-float32", "eps-dropped")):
        return True
    if bug.bug in ("passes-zero", "all-ties", "last-maximum"):  # without ties; a later maximum is another choice
        return {*verdicts(report).values()} <= {"kink"}
    return f"grad/{bug.layer}.b" in report.cancelled and bug.bug.startswith("db-")


def test_a_hint_names_the_mistake_as_the_gradient_check_does():
    found, mine = reference(PLAIN), batch(PLAIN)
    for spelling, hint in {
        "conv2d1:dW-extra-1/M": "1/4 (M) of what it should be: a mean over the images where their sum is due",
        "conv2d1:dX-unflipped": "dX with the kernel as it is, not turned by 180°",
        "hidden:dW-transposed": "x·dyᵀ read as dy·xᵀ",
        "loss:no-1/M": "4 (M) times too large: the 1/M of the mean is missing",
        "loss:argmax-label": "the predicted class is taken for the label",
        "maxpool2d1:overlap-overwritten": "where windows share their maximum the last wins",
        "tanh1:no-derivative": "dy is passed on: the derivative is left out",
    }.items():
        assert hint in compare(found, mine.with_bug(spelling)).first.hint


@pytest.mark.parametrize("text", [PLAIN, NORMED, VARIED])
def test_each_mistake_of_a_forward_pass_is_said(text):
    found, said = reference(text, dropout=text == NORMED), set()
    for place in places(found.description):
        name = f"value/{place.node.name}"
        right = found.arrays[name]
        mistakes = [*forward_mistakes(place.step(found.arrays.__getitem__))]
        for what, y in mistakes:
            if y.shape == right.shape and np.abs(y - right).max() > 1e-6:
                first = compare(found, {name: y}).first
                alike = [other for other, z in mistakes if z.shape == y.shape and np.allclose(z, y)]
                assert (first.verdict, first.hint in alike) == ("wrong", True), (name, what, first.hint)
                said.add(what)
    assert len(said) > 20


def test_what_follows_from_a_wrong_tensor_is_told_from_what_is_wrong_as_well():
    found, mine = reference(PLAIN), batch(PLAIN).with_bug("maxpool2d1:spread-to-all")
    mine["grad/conv2d1.b"] *= 3
    report = compare(found, mine)
    assert report.first.name == "grad/relu1"
    assert verdicts(report) == {
        "grad/relu1": "wrong",
        "grad/conv2d1": "follows",
        "grad/conv2d1.W": "follows",
        "grad/conv2d1.b": "wrong",
        "grad/X": "follows",
    }


def test_a_program_may_have_some_of_the_tensors_alone():
    found, mine = reference(PLAIN), batch(PLAIN).with_bug("maxpool2d1:spread-to-all")
    some = {name: array for name, array in mine.items() if "." in name}
    report = compare(found, some)
    assert (report.verdict, report.first.name, len(report.tensors)) == ("fail", "grad/conv2d1.W", 6)
    assert verdicts(report) == {"grad/conv2d1.W": "wrong", "grad/conv2d1.b": "differs"}
    assert "grad/relu1" in report.missing
    assert "X" not in report.missing


def test_wrong_images_labels_and_parameters_come_first():
    found = reference(PLAIN)
    for name, array, hint in (
        ("X", found.arrays["X"] / 255, "0.003922 times what it should be"),
        ("y", np.roll(found.arrays["y"], 1), None),
        ("param/hidden.W", found.arrays["param/hidden.W"] * -1, "the sign is turned round"),
    ):
        first = compare(found, {**found.arrays, name: array}).first
        assert first.name == name
        assert hint is None or hint in first.hint


def test_a_bias_before_batch_norm_may_have_what_rounding_leaves_and_nothing_else():
    found = reference(NORMED)
    noise = np.random.default_rng(0).normal(size=3)
    assert np.abs(found.arrays["grad/conv2d1.b"]).max() < 1e-15
    for size, verdict in ((1e-9, "pass"), (1e-8, "pass"), (1e-4, "fail")):
        report = compare(found, {**single(found.arrays), "grad/conv2d1.b": np.float32(size * noise)})
        assert (report.verdict, report.cancelled) == (verdict, ("grad/conv2d1.b",))


@pytest.mark.parametrize("layout", Layout)
def test_axes_in_another_order_shapes_and_kinds_are_told_in_sentences(layout):
    found = reference(PLAIN, layout)
    value = found.arrays["value/conv2d1"]
    for array, said in (
        (value.swapaxes(1, 2), "the right numbers, but its axes are ("),
        (value[:2], f"its shape is {'2×3×4×3' if layout is Layout.NCHW else '2×4×3×4'}, it should be"),
        (value.reshape(-1), "its shape is 144, it should be"),
        (value + 1j, "its dtype is complex128: real numbers are needed"),
        (np.where(value > 1, np.nan, value), "numbers are NaN or infinite, the first at ["),
    ):
        first = compare(found, {**found.arrays, "value/conv2d1": array}).first
        assert (first.name, first.verdict) == ("value/conv2d1", "wrong")
        assert said in first.hint


def test_an_unknown_tensor_is_named_with_the_one_that_was_meant_and_nothing_at_all_is_refused():
    found = reference(PLAIN)
    report = compare(found, {**found.arrays, "grad/hiden.W": np.zeros(3), "q": np.zeros(1)})
    assert report.unknown == {"grad/hiden.W": "grad/hidden.W", "q": None}
    with pytest.raises(DataError, match="nothing to compare: there is a, b; what is known is X, y"):
        compare(found, {"a": np.zeros(1), "b": np.zeros(2)})


def test_the_tolerance_is_that_of_the_coarsest_numbers_or_the_one_that_was_asked_for():
    found = reference(PLAIN)
    off = {**found.arrays, "grad/hidden.W": found.arrays["grad/hidden.W"] * (1 + 1e-6)}
    assert compare(found, off).verdict == "fail"
    assert compare(found, off, 1e-5).verdict == "pass"
    rounded = {name: array.astype(np.float64) for name, array in single(found.arrays).items()}
    assert "each of their numbers is one of float32's" in compare(found, rounded).tolerance.why
    assert compare(found, rounded).verdict == "pass"
    assert compare(found, single(found.arrays), 1e-12).verdict == "fail"
    half = {name: array.astype(np.float16) for name, array in found.arrays.items() if name.startswith("grad/")}
    with pytest.raises(ConfigError, match="arrays are float16: 3 digits are too few"):
        compare(found, half)
    assert compare(found, half, 1e-2).verdict == "pass"


@pytest.mark.parametrize("digits", [10, 7])
def test_numbers_that_were_rounded_on_the_way_are_told_from_wrong_ones(digits):
    found = reference(PLAIN)
    dW = found.arrays["grad/hidden.W"].astype(np.float32)
    coarse = (dW.view(np.int32) + (1 << (22 - digits)) & -(1 << (23 - digits))).view(np.float32)
    first = compare(found, {"grad/hidden.W": coarse}).first
    assert "of themselves, up and down: coarser ones on the way (float32 rounds" in first.hint
    assert 2.0 ** -(digits + 4) < float(first.hint.split()[4]) < 2.0 ** -(digits + 1)


def test_longer_sums_are_allowed_more_roundings():
    few, many = (Tolerance.for_arrays([np.zeros(1, np.float32)], terms, None) for terms in (100, 10**6))
    assert (few.of, many.of) == ("64 roundings, for sums of 100 terms", "3000 roundings, for sums of 1,000,000 terms")
    assert many.share == 3000 * 2.0**-24


def test_where_rounding_decides_on_the_side_of_a_kink_either_side_is_right():
    mine = batch(HEAD + "  - conv2d: {filters: 3, kernel: 3}\n  - relu\n  - flatten\n  - dense: {units: 3}\n")
    z = mine.reference().arrays["value/conv2d1"]
    nearest = z[0].flat[np.abs(z[0]).argmin()]
    found, other = (shifted(mine, -nearest + by).reference() for by in (1e-9, -1e-9))
    assert ((found.arrays["value/conv2d1"] > 0) != (other.arrays["value/conv2d1"] > 0)).sum() == 1
    report = compare(found, single(other.arrays))
    assert report.verdict == "pass"
    assert verdicts(report).items() >= {"grad/conv2d1": "kink", "grad/conv2d1.W": "kink", "grad/X": "kink"}.items()
    hints = {tensor.name: tensor.hint for tensor in report.tensors if tensor.hint}
    assert hints == {"grad/conv2d1": "1 of 144 places are so near a kink that rounding decides on the side"}


def shifted(mine, by):
    """Return a batch with another bias of the first filter."""
    params = mine.model.params.copy()
    params["conv2d1"]["b"][0] += by
    return replace(mine, model=replace(mine.model, params=params))


def test_of_tied_maxima_another_than_the_first_is_another_choice_and_each_of_them_is_not():
    found, mine = reference(PLAIN), batch(PLAIN)  # ReLU makes ties at 0
    last, each = (compare(found, mine.with_bug(f"maxpool2d1:{bug}")) for bug in ("last-maximum", "all-ties"))
    assert (last.verdict, verdicts(last)) == ("pass", {"grad/relu1": "kink"})
    assert "of tied maxima the last one gets dy" in next(t.hint for t in last.tensors if t.verdict == "kink")
    assert (each.verdict, each.first.name) == ("fail", "grad/relu1")


def test_whose_share_of_a_sum_is_wrong_is_said():
    found, mine = reference(NORMED), batch(NORMED)
    first = compare(found, mine.with_bug("conv2d2:dX-unflipped")).first
    assert first.name == "grad/dropout1"
    assert first.hint == "what conv2d2 sends back: dX with the kernel as it is, not turned by 180°"


def test_a_layer_that_cnnbp_does_not_have_is_compared_with_its_numbers_alone():
    found = reference(PLAIN)
    layers = tuple(
        replace(layer, type="mine") if layer.name == "tanh1" else layer for layer in found.description.layers
    )
    unknown = replace(found, description=replace(found.description, layers=layers))
    first = compare(unknown, {"value/tanh1": -found.arrays["value/tanh1"]}).first
    assert (first.verdict, first.hint) == ("wrong", "the sign is turned round")
    assert compare(unknown, found.arrays).verdict == "pass"


def test_gradients_that_are_all_zero_are_compared_too():
    found = batch(
        HEAD + "  - relu\n  - conv2d: {filters: 2, kernel: 3}\n  - relu\n  - flatten\n  - dense: {units: 3}\n"
    )
    params = found.model.params.copy()
    params["conv2d1"]["b"][:] = -100
    dead = replace(found, model=replace(found.model, params=params)).reference()
    assert compare(dead, dead.arrays).verdict == "pass"
    report = compare(dead, {**dead.arrays, "grad/conv2d1.W": dead.arrays["grad/conv2d1.W"] + 1e-3})
    assert report.first.name == "grad/conv2d1.W"
