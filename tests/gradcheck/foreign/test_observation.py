import threading

import numpy as np
import pytest

from cnnbp.gradcheck import check_functions
from cnnbp.gradcheck.foreign.observation import KEPT
from tests.gradcheck.foreign.functions import LABELS, LOGITS, X, affine, affine_backward, relu_backward, softmax_loss


def problems(forward, backward, *arrays):
    """Return what is told of two functions, after making sure that no array of the caller's was touched."""
    before = [np.array(array) for array in arrays]
    report = check_functions(forward, backward, *arrays)
    for array, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, kept)
    assert (report.verdict == "fail") == bool(report.layers[0].problems or report.layers[0].tensors[0].failed)
    return set(report.layers[0].problems)


def forward_in_place(x):
    np.maximum(x, 0, out=x)
    return x, x


def dy_in_place(dy, x):
    dy *= x > 0
    return dy


def array_in_place(dy, x):
    x[x < 0] = 0
    return dy * (x > 0)


def cache_in_place(dy, cache):
    p, labels = cache
    p[np.arange(len(p)), labels] -= 1
    return dy * p / len(p), None


def labels_in_place(dy, cache):
    p, labels = cache
    slope = p - np.eye(p.shape[1])[labels]
    labels[:] = 0
    return dy * slope / len(p), None


@pytest.mark.parametrize(
    ("forward", "backward", "arrays", "said"),
    [
        (forward_in_place, relu_backward, [X], "forward changes x"),
        (lambda x: (np.maximum(x, 0), x), dy_in_place, [X], "backward changes dy"),
        (lambda x: (np.maximum(x, 0), x), array_in_place, [X], "backward changes x"),
        (softmax_loss, cache_in_place, [LOGITS, LABELS], "backward changes its cache"),
        (softmax_loss, labels_in_place, [LOGITS, LABELS], "backward changes labels"),
    ],
)
def test_whatever_a_function_changes_is_told_and_the_callers_arrays_stay_as_they_are(forward, backward, arrays, said):
    assert problems(forward, backward, *(array.copy() for array in arrays)) == {said}


def test_a_wrong_gradient_is_told_beside_what_is_changed():
    report = check_functions(forward_in_place, lambda dy, y: dy + 0, X)
    assert report.layers[0].problems == ("forward changes x",)
    assert report.layers[0].tensors[0].failed > 0


def test_arrays_that_are_changed_through_a_name_of_the_callers_are_put_back():
    mine = X.copy()

    def backward(dy, x):
        mine[0] = 7
        return 2 * dy * x

    assert check_functions(lambda x: (x * x, x), backward, mine).layers[0].problems == (
        "forward or backward changes arrays that it was not given: yours, by names of their own",
    )
    np.testing.assert_array_equal(mine, X)


def test_a_backward_that_remembers_is_noticed():
    total = np.zeros(X.shape)

    def backward(dy, x):
        total[...] += 2 * x * dy
        return total.copy()

    assert KEPT in problems(lambda x: (x * x, x), backward, X)


def test_a_forward_that_draws_anew_each_time_is_said_to():
    rng = np.random.default_rng(0)

    def dropout(x):
        keep = rng.random(x.shape) > 0.5
        return x * keep, keep

    [said] = problems(dropout, lambda dy, keep: dy * keep, X)
    assert said.startswith("forward is not deterministic: two runs on the same arrays differ by")


@pytest.mark.parametrize("strange", [lambda: (i for i in range(3)), threading.Lock, lambda: object])
def test_a_cache_may_hold_anything_and_what_cannot_be_seen_is_said(strange):
    def forward(x):
        return x * x, (x, strange())

    report = check_functions(forward, lambda dy, cache: 2 * dy * cache[0], X)
    report.raise_if_wrong()
    unseen = "cannot be looked into" in "".join(report.notes)
    assert unseen == (type(strange()).__name__ in ("generator", "lock"))


def test_a_cache_that_serves_once_is_enough():
    def forward(x):
        return x * x, iter([x])

    report = check_functions(forward, lambda dy, cache: 2 * dy * next(cache), X)
    report.raise_if_wrong()
    assert any("a second time it raises StopIteration" in note for note in report.notes)


@pytest.mark.parametrize("cast", ["y", "x", "all"])
def test_a_forward_in_float32_is_known_as_such_and_held_to_its_own_bounds(cast):
    def forward(x, w, b):
        inside = (lambda array: array) if cast == "y" else (lambda array: array.astype(np.float32))
        y = inside(x) @ (inside(w) if cast == "all" else w) + b
        return (y.astype(np.float32) if cast != "x" else y), (x, w)

    arrays = X, np.random.default_rng(1).normal(size=(4, 5)), np.ones(5) / 3
    report = check_functions(forward, affine_backward, *arrays)
    report.raise_if_wrong()
    assert any(note.startswith("forward computes in float32") for note in report.notes)

    def scaled(dy, cache, factor=1.1):
        dx, dw, db = affine_backward(dy, cache)
        return factor * dx, dw, db

    assert check_functions(forward, scaled, *arrays).verdict == "fail"


def test_a_backward_that_keeps_few_digits_by_its_own_formula_is_held_to_these():
    x = np.array([17.0, 17.5, -18.0])  # 1 − tanh² keeps one or two digits of its result
    check_functions(lambda x: (np.tanh(x), np.tanh(x)), lambda dy, y: dy * (1 - y * y), x).raise_if_wrong()


@pytest.mark.parametrize(
    ("forward", "backward", "arrays", "said"),
    [
        (affine, affine_backward, (1j * X, X.T, np.ones(3)), "x holds complex numbers: only real ones"),
        (lambda x: (x + 1j, x), relu_backward, (X,), "y is complex128: only real numbers"),
        (lambda x: x * 2, relu_backward, (X,), "forward returned ndarray, it should be y and a cache"),
        (lambda x: (x, x, x), relu_backward, (X,), "forward returned 3 values, it should be y and a cache"),
        (lambda x: ("text", x), relu_backward, (X,), "y is str, it should be an array of numbers"),
        (lambda x: (x, x), lambda dy, x: {1, 2}, (X,), "dx is set, it should be an array of numbers"),
        (affine, lambda dy, cache: (dy,), (X, X.T, np.ones(3)), "backward returned 1 gradient, it should be one for"),
        (affine, affine_backward, (np.arange(3), np.arange(3), np.arange(3)), "nothing to differentiate"),
    ],
)
def test_what_is_no_pair_of_functions_of_real_arrays_is_refused_in_a_sentence(forward, backward, arrays, said):
    with pytest.raises(TypeError, match=said):
        check_functions(forward, backward, *arrays)


def test_gradients_may_come_by_name_and_without_those_of_labels():
    def by_name(dy, cache):
        dx, dw, db = affine_backward(dy, cache)
        return {"x": dx, "dw": dw, "b": db}

    check_functions(affine, by_name, X, X.T.copy(), np.ones(3) / 3).raise_if_wrong()

    def without(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(3)[labels]) / len(p)

    check_functions(softmax_loss, without, LOGITS, LABELS).raise_if_wrong()


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        (lambda dy, c: (*affine_backward(dy, c)[:2], None), "backward gives no db"),
        (lambda dy, c: (*affine_backward(dy, c)[:2], dy), "db has shape 3×3, it should be 3"),
        (lambda dy, c: (*affine_backward(dy, c)[:2], 1j * dy.sum(axis=0)), "db is complex128, it should be real"),
        (lambda dy, c: (*affine_backward(dy, c)[:2], dy.sum(axis=0) / 0), "db has NaN or Inf"),
        (
            lambda dy, c: (*affine_backward(dy, c)[:2], dy.sum(axis=0).astype("f4")),
            "db is float32 where everything else",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_gradient_of_a_wrong_form_is_told_and_the_others_are_checked(backward, said):
    report = check_functions(affine, backward, X, X.T.copy(), np.ones(3) / 3)
    assert report.layers[0].problems[0].startswith(said)
    assert {"x", "w"} <= {tensor.name for tensor in report.layers[0].tensors if tensor.verdict == "pass"}


def test_where_y_is_no_number_there_is_nothing_to_check():
    report = check_functions(lambda x: (np.sqrt(x - 9), x), relu_backward, X)
    assert report.layers[0].problems == ("y has NaN or Inf: there is no gradient",)


def test_numbers_at_which_a_mistake_hides_are_pointed_out():
    def scale(x, gamma):
        return x * gamma, (x, gamma)

    report = check_functions(scale, lambda dy, cache: (dy * cache[1], dy * cache[0]), X, np.ones(X.shape))
    assert report.notes == ("gamma is 1 everywhere: what forgets it is right by chance; other numbers show more",)
