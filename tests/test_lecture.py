"""The lecture's network with numbers worked out by hand: no expected number is computed by the code under test.

    X ─conv W1,b1→ Z1 ─ReLU→ A1 ─max pool→ F ─flatten→ f ─dense W2,b2→ Z2 ─sigmoid→ A2 ─BCE→ L

         [ 1  0 −1 ]
    W1 = [ 0  2  0 ]   b1 = −1   so at (i, j), with the 3×3 patch of X that begins there:
         [ 0  0  1 ]             Z1 = patch₀₀ − patch₀₂ + 2·patch₁₁ + patch₂₂ − 1

    W2 = [ 1 −1 2 −3 ]   b2 = ln 3 − 1

Each of the three images has W2·f = 1, so Z2 = ln 3 and A2 = 3/(3 + 1) = 3/4. Their labels are 1, 0, 1:

    y = 1   −log 3/4 = ln 4 − ln 3   ∂L/∂A2 = (3/4 − 1)/(3/16) = −4/3   ∂A2/∂Z2 = 3/4·1/4 = 3/16   product −1/4
    y = 0   −log 1/4 = ln 4          ∂L/∂A2 = (3/4 − 0)/(3/16) = 4      ∂A2/∂Z2 = 3/16             product  3/4

and each ∂L is divided by M, here and nowhere else. What is left of a gradient is how Z2 moves with W1, b1 and X. The
maximum of pool window k stands at one place; W2ₖ goes there, and if Z1 > 0 there it goes on:

    ∂Z2/∂W1 = Σₖ W2ₖ · patch at k's maximum        ∂Z2/∂b1 = Σₖ W2ₖ over the windows with Z1 > 0

Image 1: f = (2, 1, 3, 2) from (1,0) (1,3) (3,0) (2,3)

       [ 1 0 0 ]     [ 0 0 0 ]     [ 0 0 0 ]     [ 0 1 0 ]   [  1 −3  0 ]
     1·[ 1 1 1 ] − 1·[ 0 1 0 ] + 2·[ 0 2 0 ] − 3·[ 0 1 0 ] = [  1  1  1 ]   ∂Z2/∂b1 = 1 − 1 + 2 − 3 = −1
       [ 0 0 0 ]     [ 0 1 0 ]     [ 0 0 0 ]     [ 1 0 1 ]   [ −3 −1 −3 ]

Image 2: f = (1, 4, 2, 0) from (0,0) (0,3) (3,0); in the last window no Z1 is above 0, so it passes nothing on

       [ 0 0 0 ]     [ 1 0 0 ]     [ 1 0 0 ]   [  1  0  0 ]
     1·[ 1 1 0 ] − 1·[ 0 2 0 ] + 2·[ 0 1 0 ] = [  1  1  0 ]   ∂Z2/∂b1 = 1 − 1 + 2 = 2
       [ 0 0 0 ]     [ 0 0 0 ]     [ 0 0 0 ]   [  0  0  0 ]

Image 3: f = (2, 1, 3, 2) from (0,0) (1,3) (2,1) (3,2); the first window has a second 2 at (1,1), but the first one wins

       [ 0 0 0 ]     [ 0 1 0 ]     [ 0 1 0 ]     [ 2 0 0 ]   [ −6  1  0 ]
     1·[ 0 1 0 ] − 1·[ 0 1 0 ] + 2·[ 0 2 0 ] − 3·[ 0 0 0 ] = [  0  4  0 ]   ∂Z2/∂b1 = 1 − 1 + 2 − 3 = −1
       [ 0 0 1 ]     [ 0 0 0 ]     [ 0 0 0 ]     [ 1 1 1 ]   [ −3 −3 −2 ]
"""

from math import log
from pathlib import Path

import numpy as np
import pytest

from cnnbp.arrays import Arena, Array
from cnnbp.config import load_config
from cnnbp.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from cnnbp.losses import BinaryCrossEntropy
from cnnbp.network import INPUT, Network
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape

NETWORK = Network((1, 6, 6), [Conv2d(filters=1, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)])
Z1, A1, F, FLAT, Z2 = range(5)  # the nodes, by the names of their outputs
LOSS = BinaryCrossEntropy()

IMAGES = [
    [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 2, 0, 1, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ],
    [
        [0, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ],
    [
        [0, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 1, 0],
        [0, 0, 2, 0, 0, 0],
        [2, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 0],
    ],
]
LABELS = [1, 0, 1]


def lecture_parameters() -> Parameters:
    params = NETWORK.layout.zeros(np.float64)
    params["conv2d1"]["W"][:] = [[[[1, 0, -1], [0, 2, 0], [0, 0, 1]]]]
    params["conv2d1"]["b"][:] = -1
    params["dense1"]["W"][:] = [[1, -1, 2, -3]]
    params["dense1"]["b"][:] = log(3) - 1
    return params


def chain_rule(images: slice, batch_size: int) -> tuple[Tape, Array, Parameters]:
    """Take some images forward and back: the tape, each image's loss, and ∂L/∂θ of a batch of `batch_size`."""
    params = lecture_parameters()
    X = np.moveaxis(np.array(IMAGES[images], float)[:, None], 0, -1)  # 1×6×6×M
    tape = Tape(NETWORK, params, {}, X, Arena(), keep_everything=True)
    losses, cache = LOSS.forward(tape.forward(), np.array(LABELS[images]))
    tape.gradients[Z2] = LOSS.backward(cache, batch_size)
    gradient = NETWORK.layout.zeros(np.float64)
    tape.backward(gradient)
    return tape, losses, gradient


ONE, ALL = slice(0, 1), slice(0, 3)


def assert_equal(actual: Array, expected: object) -> None:
    np.testing.assert_allclose(actual, np.array(expected, float), rtol=1e-14, atol=1e-15)


def test_the_config_that_comes_along_is_the_lecture_network():
    config = load_config(Path(__file__).parents[1] / "configs" / "lecture.yaml")
    shipped = Network(NETWORK.input_shape, config.layers)
    assert [(node.layer.type, node.output_shape) for node in shipped.nodes] == [
        (node.layer.type, node.output_shape) for node in NETWORK.nodes
    ]
    assert config.loss == LOSS


@pytest.mark.parametrize(("images", "M"), [(ONE, 1), (ALL, 3)])
def test_the_shapes_are_the_lectures_with_the_batch_as_the_last_axis(images, M):
    tape, losses, gradient = chain_rule(images, M)
    shapes = [(1, 4, 4, M), (1, 4, 4, M), (1, 2, 2, M), (4, M), (1, M)]  # Z1, A1, F, f, Z2
    assert [value.shape for value in tape.values] == [*shapes, (1, 6, 6, M)]
    assert [gradient.shape for gradient in tape.gradients] == [*shapes, (1, 6, 6, M)]
    assert losses.shape == (M,)
    assert {name: array.shape for name, array in gradient.named()} == {
        "conv2d1.W": (1, 1, 3, 3),
        "conv2d1.b": (1,),
        "dense1.W": (1, 4),
        "dense1.b": (1,),
    }


def test_forward_through_the_first_image():
    tape, losses, _ = chain_rule(ONE, 1)
    assert_equal(tape.values[Z1][0, :, :, 0], [[1, -1, 0, -1], [2, 1, 0, 1], [-1, 1, -1, 2], [3, -1, 0, -1]])
    assert_equal(tape.values[A1][0, :, :, 0], [[1, 0, 0, 0], [2, 1, 0, 1], [0, 1, 0, 2], [3, 0, 0, 0]])
    assert_equal(tape.values[F][0, :, :, 0], [[2, 1], [3, 2]])
    assert_equal(tape.values[FLAT][:, 0], [2, 1, 3, 2])
    assert_equal(tape.values[Z2], [[log(3)]])
    assert_equal(LOSS.probabilities(tape.values[Z2])[1], [3 / 4])  # A2
    assert_equal(losses, [log(4) - log(3)])


def test_forward_through_all_three():
    tape, losses, _ = chain_rule(ALL, 3)
    assert_equal(tape.values[FLAT].T, [[2, 1, 3, 2], [1, 4, 2, 0], [2, 1, 3, 2]])
    assert_equal(tape.values[Z2], [[log(3), log(3), log(3)]])
    assert_equal(losses, [log(4) - log(3), log(4), log(4) - log(3)])
    assert_equal(losses.mean(), log(4) - 2 / 3 * log(3))


def test_backward_through_the_first_image():
    tape, _, gradient = chain_rule(ONE, 1)
    assert_equal(tape.gradients[Z2], [[-1 / 4]])
    assert_equal(gradient["dense1"]["W"], [[-2 / 4, -1 / 4, -3 / 4, -2 / 4]])  # −1/4 · f
    assert_equal(gradient["dense1"]["b"], [-1 / 4])
    assert_equal(tape.gradients[FLAT][:, 0], [-1 / 4, 1 / 4, -2 / 4, 3 / 4])  # −1/4 · W2
    assert_equal(tape.gradients[F][0, :, :, 0], [[-1 / 4, 1 / 4], [-2 / 4, 3 / 4]])
    routed = np.array([[0, 0, 0, 0], [-1, 0, 0, 1], [0, 0, 0, 3], [-2, 0, 0, 0]]) / 4
    assert_equal(tape.gradients[A1][0, :, :, 0], routed)
    assert_equal(tape.gradients[Z1][0, :, :, 0], routed)  # Z1 > 0 at all four
    assert_equal(gradient["conv2d1"]["W"][0, 0], np.array([[-1, 3, 0], [-1, -1, -1], [3, 1, 3]]) / 4)
    assert_equal(gradient["conv2d1"]["b"], [1 / 4])


def test_the_gradient_of_the_first_image_itself():
    """W1 laid over X where each window's maximum stands, times W2ₖ, all times −1/4.

    1·W1 in rows 1–3, columns 0–2; −1·W1 in rows 1–3, columns 3–5; 2·W1 in rows 3–5, columns 0–2; −3·W1 in rows 2–4,
    columns 3–5. They overlap: row 3, column 2 is 1·1 + 2·(−1) = −1; row 2, column 4 is −1·2 + 0; row 3, column 5 is −1.
    """
    tape, _, _ = chain_rule(ONE, 1)
    laid = [
        [0, 0, 0, 0, 0, 0],
        [1, 0, -1, -1, 0, 1],
        [0, 2, 0, -3, -2, 3],
        [2, 0, -1, 0, -6, -1],
        [0, 4, 0, 0, 0, -3],
        [0, 0, 2, 0, 0, 0],
    ]
    assert_equal(tape.gradients[INPUT][0, :, :, 0], np.array(laid) / -4)


def test_backward_through_all_three():
    """∂L/∂Z2 is (−1, 3, −1)/12: −1/4, 3/4, −1/4 and the 1/M. Then, with the ∂Z2/∂W1 above, all in twelfths:

    ∂L/∂W2 = −1·(2, 1, 3, 2) + 3·(1, 4, 2, 0) − 1·(2, 1, 3, 2) = (−1, 10, 0, −4)

                [  1 −3  0 ]     [  1  0  0 ]     [ −6  1  0 ]   [  8  2  0 ]
    ∂L/∂W1 = −1·[  1  1  1 ] + 3·[  1  1  0 ] − 1·[  0  4  0 ] = [  2 −2 −1 ]
                [ −3 −1 −3 ]     [  0  0  0 ]     [ −3 −3 −2 ]   [  6  4  5 ]

    ∂L/∂b1 = −1·(−1) + 3·2 − 1·(−1) = 8        ∂L/∂b2 = −1 + 3 − 1 = 1
    """
    tape, _, gradient = chain_rule(ALL, 3)
    assert_equal(tape.gradients[Z2], [[-1 / 12, 3 / 12, -1 / 12]])
    assert_equal(gradient["dense1"]["W"], [[-1 / 12, 10 / 12, 0, -4 / 12]])
    assert_equal(gradient["dense1"]["b"], [1 / 12])
    assert_equal(gradient["conv2d1"]["W"][0, 0], np.array([[8, 2, 0], [2, -2, -1], [6, 4, 5]]) / 12)
    assert_equal(gradient["conv2d1"]["b"], [8 / 12])


def test_a_window_without_a_positive_number_passes_no_gradient_on():
    tape, _, _ = chain_rule(ALL, 3)
    assert tape.gradients[F][0, 1, 1, 1] == -9 / 12  # the pool still gets it: 3/12 · W2₃
    assert_equal(tape.gradients[Z1][0, 2:, 2:, 1], [[0, 0], [0, 0]])


def test_a_tied_window_passes_its_gradient_to_the_first_maximum():
    tape, _, _ = chain_rule(ALL, 3)
    assert_equal(tape.values[A1][0, :2, :2, 2], [[2, 0], [1, 2]])
    assert_equal(tape.gradients[A1][0, :2, :2, 2], [[-1 / 12, 0], [0, 0]])


def test_image_by_image_a_gradient_is_a_stack_whose_sum_over_m_is_the_batchs():
    """∂L/∂W2 before the sum is 1×4×M: image m's column is ∂L/∂Z2ₘ · fₘᵀ, its 1/M included."""
    alone = [chain_rule(slice(m, m + 1), 3)[2] for m in range(3)]
    W2 = np.stack([gradient["dense1"]["W"] for gradient in alone], axis=-1)
    assert W2.shape == (1, 4, 3)
    assert_equal(W2[0], np.array([[-2, 3, -2], [-1, 12, -1], [-3, 6, -3], [-2, 0, -2]]) / 12)
    assert_equal(W2.sum(axis=-1), [[-1 / 12, 10 / 12, 0, -4 / 12]])
    W1 = np.stack([gradient["conv2d1"]["W"] for gradient in alone], axis=-1)
    assert W1.shape == (1, 1, 3, 3, 3)
    assert_equal(W1[0, 0, :, :, 1], np.array([[3, 0, 0], [3, 3, 0], [0, 0, 0]]) / 12)
    assert_equal(W1.sum(axis=-1)[0, 0], np.array([[8, 2, 0], [2, -2, -1], [6, 4, 5]]) / 12)
