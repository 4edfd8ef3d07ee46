import pytest

from cnnbp.inspect.examine import inspect_batch
from cnnbp.inspect.images import Images
from cnnbp.optimizers import SGD
from cnnbp.report.grads import draw_grads
from tests.inspect.lecture import X, Y, lecture_model
from tests.report.paper import printed

IMAGES = Images(X, Y, list("abcd"), ["no", "yes"], [2, 2], "somewhere")


@pytest.mark.parametrize(("lr", "outcome"), [(0.01, "L falls from "), (1e3, "L rises from ")])
def test_the_end_says_whether_the_update_helped(lr, outcome):
    lines = printed(draw_grads, inspect_batch(lecture_model(), IMAGES, SGD(lr=lr)), width=140)
    assert lines[-1].startswith(outcome)
