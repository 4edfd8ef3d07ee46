import numpy as np
import pytest

from cnnbp.gradcheck.heads import InnerProductHead, LossHead
from cnnbp.losses import CrossEntropy, MeanSquaredError

LOGITS, LABELS = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 0.5]]), np.array([0, 1, 1])


def loss_head(loss=None, logits=LOGITS):
    return LossHead(loss or CrossEntropy(), LABELS, logits)


def inner_product():
    rng = np.random.default_rng(0)
    return InnerProductHead(rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 3)))


def test_the_parts_of_a_loss_sum_to_its_mean():
    losses, _ = CrossEntropy().forward(LOGITS, LABELS)
    parts = loss_head().parts(LOGITS, np.arange(3))
    assert parts.shape == (1, 3)
    assert parts.sum() == pytest.approx(losses.mean())


def test_copies_stand_side_by_side_with_the_labels_of_their_images():
    whole = loss_head().parts(LOGITS, np.arange(3))
    columns = np.array([2, 0, 2, 1])
    np.testing.assert_array_equal(loss_head().parts(LOGITS[:, columns], columns), whole[:, columns])


def test_the_parts_of_an_inner_product_sum_to_it():
    head = inner_product()
    parts = head.parts(head.y, np.arange(3))
    assert parts.shape == (8, 3)
    assert parts.sum() == pytest.approx((head.upstream * head.y).sum())


@pytest.mark.parametrize(("factor", "size"), [(0.1, 1.0), (100.0, 300.0)])
def test_a_difference_of_losses_is_rounded_like_the_largest_logit_or_like_1(factor, size):
    head = loss_head(MeanSquaredError() if factor < 1 else None, factor * LOGITS)
    np.testing.assert_allclose(head.magnitude(np.zeros((1, 5, 3))), np.full(5, size))


def test_a_difference_of_inner_products_is_rounded_as_often_as_numbers_changed():
    head, difference = inner_product(), np.zeros((8, 2, 3))
    difference[:4, 1] = 1
    none, twelve = head.magnitude(difference)
    assert twelve == pytest.approx(12 * none)
    assert none >= np.abs(head.upstream).max()


def test_undisturbed_the_gradient_is_the_one_of_backward():
    head = loss_head()
    _, cache = head.loss.forward(LOGITS, LABELS)
    np.testing.assert_array_equal(head.gradient(LOGITS, lambda array: array), head.loss.backward(cache, 3))
    inner = inner_product()
    assert inner.gradient(inner.y, lambda array: array) is inner.upstream


def test_an_image_that_is_surely_right_keeps_few_digits_of_p_minus_y():
    sure = np.array([[30.0, -30.0, -30.0], [-30.0, 30.0, 30.0]])
    head = loss_head(logits=sure)
    exact = head.gradient(sure, lambda array: array)
    off = np.abs(head.gradient(sure, lambda array: array * (1 + 1e-9)) - exact)
    assert np.abs(exact).max() < 1e-20
    assert off.max() == pytest.approx(1e-9 / 3, rel=1e-3)  # a share of y/M
