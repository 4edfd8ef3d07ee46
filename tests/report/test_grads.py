import numpy as np
import pytest

from cnnbp.inspect.examine import inspect_batch
from cnnbp.inspect.images import Images
from cnnbp.inspect.selection import choose_steps
from cnnbp.optimizers import SGD
from cnnbp.report.grads import draw_grads
from tests.inspect.lecture import X, Y, by_hand, lecture_model
from tests.report.paper import printed

IMAGES = Images(X, Y, list("abcd"), ["no", "yes"], [2, 2], "somewhere")


@pytest.mark.parametrize(("lr", "outcome"), [(0.01, "L falls from "), (1e3, "L rises from ")])
def test_the_end_says_whether_the_update_helped(lr, outcome):
    lines = printed(draw_grads, inspect_batch(lecture_model(), IMAGES, SGD(lr=lr)), None, width=140)
    assert lines[-1].startswith(outcome)


def test_the_largest_number_of_each_window_is_marked():
    inspection = inspect_batch(lecture_model(), IMAGES, SGD())
    lines = printed(draw_grads, inspection, choose_steps(inspection, layers=["maxpool2d1"], image=2), width=140)
    start = next(index for index, line in enumerate(lines) if line.startswith("A1  1×4×4×M"))
    found = np.array([[word.endswith("*") for word in line.split()[:4]] for line in lines[start + 2 : start + 6]])
    A1 = by_hand(lecture_model())["A1"][0, :, :, 1]
    for h, w in np.ndindex(2, 2):
        window = (slice(2 * h, 2 * h + 2), slice(2 * w, 2 * w + 2))
        assert np.argmax(A1[window]) == np.argmax(found[window])
    assert found.sum() == 4


def test_of_many_images_the_one_whose_maps_are_shown_has_a_column_and_the_others_are_added_up():
    many = 20
    rng = np.random.default_rng(0)
    images = Images(
        rng.normal(size=(1, 6, 6, many)), np.arange(many) % 2, [*map(str, range(many))], ["no", "yes"], [1, 1], ""
    )
    inspection = inspect_batch(lecture_model(), images, SGD())
    lines = printed(draw_grads, inspection, choose_steps(inspection, tensors=["dW2", "f"], image=17), width=140)
    head = next(line for line in lines if "m=17" in line and "more" in line)
    assert head.split() == [*(f"m={m}" for m in range(1, 8)), "m=17", "more"]
    start = next(index for index, line in enumerate(lines) if line.startswith("m=1 "))
    stack = [[float(number) for number in line.split()[-4:]] for line in lines[start : start + 9]]
    total = [float(number) for number in lines[start + 10].split()[-4:]]
    assert "and 12 more" in lines[start + 8]
    np.testing.assert_allclose(np.sum(stack, axis=0), total, atol=0.005)
