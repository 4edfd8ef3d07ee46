import threading
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from cnnbp.gradcheck.foreign.watching import Watched, as_array


@dataclass
class Box:
    content: object


class Slots:
    __slots__ = ("content", "unset")

    def __init__(self, content):
        self.content = content


def closure(array):
    return lambda: array.sum()


HOLDERS = [
    lambda a: a,
    lambda a: (1, [a]),
    lambda a: {"a": {"b": a}},
    Box,
    Slots,
    closure,
    lambda a: partial(np.add, a),
    lambda a: Box(a).__repr__,
    lambda a: np.array([None, a], object),
]


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_change_is_seen_wherever_the_array_is_and_undone(holder):
    array = np.arange(3.0)
    watched = Watched(holder(array))
    assert not watched.has_changed
    array[1] = 7
    assert watched.has_changed
    watched.restore()
    np.testing.assert_array_equal(array, [0, 1, 2])


def test_what_cannot_be_looked_into_is_named():
    watched = Watched([np.ones(2), (i for i in range(3)), threading.Lock(), "text", 3, None, np.sum])
    assert watched.unseen == {"generator", "lock"}


def test_what_holds_itself_is_watched_once():
    ring = [np.ones(1)]
    ring.append(ring)
    assert not Watched(ring).has_changed


def test_nan_is_like_nan_and_floats_alone_are_disturbed():
    numbers, counts = np.array([np.nan, 1.0]), np.arange(2)
    watched = Watched((numbers, counts))
    assert not watched.has_changed
    watched.disturb(lambda array: array + 1)
    assert numbers[1] == 2
    assert counts.tolist() == [0, 1]


def test_tensors_that_require_grad_are_watched():
    torch = pytest.importorskip("torch")
    leaf = torch.ones(3, requires_grad=True)
    result = 2 * leaf
    watched = Watched({"result": result})
    result.detach().numpy()[0] = 5
    assert watched.has_changed
    assert watched.unseen == set()
    assert as_array(torch.ones(2).to_sparse()) is None
