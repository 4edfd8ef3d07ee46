import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.endtoend import arguments, as_computation
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, Tanh
from tests.gradcheck.points import NORMALISED, PLAIN, point

WINDOWS = (
    Conv2d(filters=4, kernel=(2, 3), stride=(2, 1), pad=1, dilation=(1, 2), groups=2),
    Tanh(),
    Flatten(),
    Dense(units=2),
)
POINTS = {"plain": point(PLAIN), "normalised": point(NORMALISED), "windows": point(WINDOWS, shape=(2, 6, 7))}


def computation(here):
    tape, _ = here.forward()
    return as_computation(here, tape)


def losses(here, theta, entry, shift):
    """Run the whole network forward with one entry moved, in the plainest way."""
    theta.reshape(-1)[entry] += shift
    _, logits = here.forward()
    theta.reshape(-1)[entry] -= shift
    return here.loss.forward(logits, here.labels)[0] / len(here.labels)


@pytest.mark.parametrize("name", POINTS)
def test_stacked_copies_give_the_losses_of_one_plain_forward_each(name):
    here = POINTS[name]
    for argument in arguments(computation(here)):
        theta = here.x if argument.name == "X" else dict(here.params.named())[argument.name]
        entries = np.unique(np.linspace(0, theta.size - 1, 7).astype(int))
        shifts = np.tile([2.0**-9, -(2.0**-9)], (len(entries), 1))
        stack = argument.stacked(entries, shifts, follow_branches, Arena())
        parts, _ = argument.computation.evaluate(stack, follow_branches, Arena())
        for copy, (entry, shift) in enumerate((e, s) for e, pair in zip(entries, shifts, strict=True) for s in pair):
            plain = losses(here, theta, entry, shift)
            np.testing.assert_allclose(parts[0, copy], plain[stack.columns[copy]], rtol=1e-12, atol=1e-14)


def test_an_entry_of_the_images_runs_its_own_image_alone_unless_images_feel_each_other():
    def images_per_copy(here):
        [images] = [argument for argument in arguments(computation(here)) if argument.name == "X"]
        return images.images_per_copy

    assert images_per_copy(POINTS["plain"]) == 1
    assert images_per_copy(POINTS["normalised"]) == 3


class Shifted(Conv2d):
    """A convolution that the shortcut does not know: its output is not what the kernel sees."""

    def forward(self, params, x, ctx):
        y, cache = super().forward(params, x, ctx)
        return y[:, ::-1], cache


def test_a_shortcut_that_disagrees_with_the_layers_own_forward_is_not_taken():
    for layer, taken in ((Conv2d(filters=2, kernel=3), True), (Shifted(filters=2, kernel=3), False)):
        here = point((layer, Tanh(), Flatten(), Dense(units=2)))
        [kernel] = [argument for argument in arguments(computation(here)) if argument.name == "conv2d1.W"]
        assert (kernel._shortcut is not None) == taken


def test_batch_norm_runs_its_copies_as_batches_of_their_own():
    here = point((BatchNorm(), Flatten(), Dense(units=2)))
    [gamma, *_] = arguments(computation(here))
    stack = gamma.stacked(np.array([0]), np.array([[0.5, -0.5]]), follow_branches, Arena())
    assert stack.columns.tolist() == [[0, 1, 2], [0, 1, 2]]
