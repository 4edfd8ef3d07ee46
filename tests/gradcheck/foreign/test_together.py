import numpy as np
import pytest

from cnnbp.gradcheck import check_functions
from cnnbp.gradcheck.foreign.together import may_tie

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=1500)


def into_a_buffer(function):
    """Return a forward that computes in a buffer of real numbers: no complex step here."""

    def forward(x):
        y = np.zeros(x.shape)
        y[...] = function(x)
        return y, x

    return forward


FUNCTIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > 0)),
    "tanh": (np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2)),
    "|x|^1.5": (lambda x: np.abs(x) ** 1.5, lambda dy, x: 1.5 * dy * np.sqrt(np.abs(x)) * np.sign(x)),
}


@pytest.mark.parametrize("zeros", [0, 40])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_wrong_entry_among_thousands_is_found_and_named_without_a_complex_step(name, zeros):
    function, backward = FUNCTIONS[name]
    x, wrong = NOISE.copy(), int(np.flatnonzero(NOISE > 1)[100])
    x[:zeros] = 0
    check_functions(into_a_buffer(function), backward, x, entries=100).raise_if_wrong()

    def doubled(dy, x):
        dx = np.array(backward(dy, x))
        dx[wrong] *= 2
        return dx

    report = check_functions(into_a_buffer(function), doubled, x, entries=100)
    assert report.hint == f"forward: dx: a single entry is wrong: [{wrong}]"


def test_a_patch_that_is_wrong_by_a_millionth_is_found():
    def backward(dy, x):
        dx = np.cos(x) * dy
        dx[700:1300] *= 1 + 1e-6
        return dx

    assert check_functions(into_a_buffer(np.sin), backward, NOISE, entries=5).verdict == "fail"


def test_what_stays_unchecked_is_said_in_the_verdicts_line():
    integers = RNG.integers(-2, 3, 1500).astype(float)
    report = check_functions(into_a_buffer(FUNCTIONS["relu"][0]), FUNCTIONS["relu"][1], integers, entries=50)
    [tensor] = report.layers[0].tensors
    assert report.verdict == "pass"
    assert tensor.checked + tensor.together + tensor.unchecked == 1500
    assert tensor.unchecked > 200
    assert str(report).startswith(f"pass: {tensor.checked:,} entries; ")
    assert f"{tensor.unchecked:,} unchecked" in str(report).splitlines()[0]
    whole = check_functions(into_a_buffer(np.tanh), FUNCTIONS["tanh"][1], NOISE)
    assert str(whole) == "pass: 512 entries; 988 more along directions"


def maximum(x):
    y = x.max(axis=1)
    return y, (x, y)


def first_maximum(dy, cache):
    x, _ = cache
    dx = np.zeros(x.shape)
    dx[np.arange(len(x)), x.argmax(axis=1)] = dy
    return dx


def share_of_each(dy, cache):
    x, y = cache
    tied = x == y[:, None]
    return dy[:, None] * tied / tied.sum(axis=1, keepdims=True)


def whole_for_each(dy, cache):
    x, y = cache
    return dy[:, None] * (x == y[:, None])


def test_tied_maxima_may_share_a_gradient_and_not_multiply_it():
    x = RNG.integers(-1, 2, (40, 6)).astype(float)
    for right in (first_maximum, share_of_each):
        check_functions(maximum, right, x).raise_if_wrong()
    report = check_functions(maximum, whole_for_each, x)
    assert report.verdict == "fail"
    assert "move together: of tied entries each gets what belongs to one" in report.hint


def test_entries_that_are_0_or_the_same_as_another_may_tie():
    assert may_tie(np.array([[0.0, 1.0], [2.0, 1.0]])).tolist() == [[True, True], [False, True]]
