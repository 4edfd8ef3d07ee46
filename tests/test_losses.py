from math import exp, log

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from cnnbp.gradcheck.textbook import central_differences
from cnnbp.losses import LOSSES, BinaryCrossEntropy, CrossEntropy, Loss, LossSpec, MeanSquaredError

M = 6
RNG = np.random.default_rng(0)
WEIGHTS = {1: (0.5, 2.0), 3: (0.5, 2.0, 1.5)}  # by the number of outputs

EVERY_OPTION = [
    (loss.model_validate(options | weights), outputs)
    for loss, outputs in [(BinaryCrossEntropy, 1), (CrossEntropy, 3), (MeanSquaredError, 3)]
    for options in ([{}, {"label_smoothing": 0.2}] if "label_smoothing" in loss.model_fields else [{}])
    for weights in ({}, {"class_weights": WEIGHTS[outputs]})
]
every_option = pytest.mark.parametrize(
    ("loss", "outputs"),
    EVERY_OPTION,
    ids=[f"{loss.type}-{loss.model_dump(exclude_unset=True)}" for loss, _ in EVERY_OPTION],
)


def a_batch(outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (K, M) and labels (M,) that hold every class."""
    return RNG.normal(0, 2, size=(outputs, M)), np.arange(M) % max(outputs, 2)


def mean_loss(loss: Loss, logits: np.ndarray, labels: np.ndarray) -> float:
    losses, _ = loss.forward(logits, labels)
    return float(losses.mean())


@every_option
def test_the_gradient_is_the_central_difference_of_the_mean(loss, outputs):
    logits, labels = a_batch(outputs)
    _, cache = loss.forward(logits, labels)
    numeric = central_differences(lambda: mean_loss(loss, logits, labels), logits)
    np.testing.assert_allclose(loss.backward(cache, M), numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())


@every_option
def test_one_over_m_enters_once_so_a_batch_is_its_images_one_by_one(loss, outputs):
    logits, labels = a_batch(outputs)
    losses, cache = loss.forward(logits, labels)
    dlogits = loss.backward(cache, M)
    for m in range(M):
        alone, cache = loss.forward(logits[:, [m]], labels[[m]])
        np.testing.assert_allclose(alone, losses[[m]], rtol=1e-14)
        np.testing.assert_allclose(loss.backward(cache, M), dlogits[:, [m]], rtol=1e-14)
        np.testing.assert_allclose(loss.backward(cache, 1), M * dlogits[:, [m]], rtol=1e-14)


@every_option
def test_float32_stays_float32_and_backward_changes_nothing(loss, outputs):
    logits, labels = a_batch(outputs)
    logits = logits.astype(np.float32)
    losses, cache = loss.forward(logits, labels)
    first, second = loss.backward(cache, M), loss.backward(cache, M)
    assert (losses.dtype, first.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(losses, loss.forward(logits.astype(np.float64), labels)[0], rtol=1e-5)


@every_option
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_give_finite_losses_and_gradients(loss, outputs, dtype):
    logits = np.array([[1000.0, -1000.0, 1000.0, -1000.0], [-1000.0, 1000.0, 1000.0, -1000.0], [0, 0, 0, 0]], dtype)
    losses, cache = loss.forward(logits[:outputs], np.array([0, 0, 1, 1]))
    assert np.isfinite(losses).all()
    assert np.isfinite(loss.backward(cache, 4)).all()


@every_option
def test_a_complex_step_gives_the_gradient_too(loss, outputs):
    logits, labels = a_batch(outputs)
    direction = RNG.normal(size=logits.shape)
    losses, _ = loss.forward(logits + 1e-30j * direction, labels)
    _, cache = loss.forward(logits, labels)
    np.testing.assert_allclose(losses.mean().imag / 1e-30, (loss.backward(cache, M) * direction).sum(), rtol=1e-12)


def test_binary_cross_entropy_by_hand():
    """σ(0) = 1/2 and σ(ln 3) = 3/4; the gradient is (A − Y)/M."""
    losses, cache = BinaryCrossEntropy().forward(np.array([[0.0, log(3), log(3)]]), np.array([1, 1, 0]))
    np.testing.assert_allclose(losses, [log(2), log(4 / 3), log(4)])
    np.testing.assert_allclose(BinaryCrossEntropy().backward(cache, 3), [[-1 / 6, -1 / 12, 1 / 4]])


def test_cross_entropy_by_hand():
    """softmax(0, ln 2, 0) = (1/4, 1/2, 1/4)."""
    logits = np.array([[0.0, 0.0], [log(2), log(2)], [0.0, 0.0]])
    losses, cache = CrossEntropy().forward(logits, np.array([1, 2]))
    np.testing.assert_allclose(losses, [log(2), log(4)])
    np.testing.assert_allclose(CrossEntropy().backward(cache, 2), [[1 / 8, 1 / 8], [-1 / 4, 1 / 4], [1 / 8, -3 / 8]])


def test_mean_squared_error_by_hand():
    """Against one-hot (0, 1): ((0.5 − 0)² + (3 − 1)²)/2, slopes 2(z − y)/K/M."""
    losses, cache = MeanSquaredError().forward(np.array([[0.5], [3.0]]), np.array([1]))
    np.testing.assert_allclose(losses, [(0.25 + 4) / 2])
    np.testing.assert_allclose(MeanSquaredError().backward(cache, 1), [[0.5], [2.0]])


def test_a_far_wrong_logit_costs_as_much_as_it_is_off():
    losses, _ = BinaryCrossEntropy().forward(np.array([[-1000.0, 1000.0]]), np.array([1, 1]))
    np.testing.assert_array_equal(losses, [1000, 0])
    losses, _ = CrossEntropy().forward(np.array([[-1000.0], [1000.0]]), np.array([0]))
    np.testing.assert_array_equal(losses, [2000])


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(label_smoothing=0.3)], ids=["hard", "smoothed"])
def test_the_slopes_of_cross_entropy_sum_to_zero_in_each_image(loss):
    logits, labels = a_batch(3)
    _, cache = loss.forward(logits, labels)
    np.testing.assert_allclose(loss.backward(cache, M).sum(axis=0), 0, atol=1e-16)


def test_label_smoothing_spreads_its_share_over_all_classes():
    targets = CrossEntropy(label_smoothing=0.3).targets(np.array([2]), 3, np.float64)
    np.testing.assert_allclose(targets, [[0.1], [0.1], [0.8]])
    targets = BinaryCrossEntropy(label_smoothing=0.3).targets(np.array([0, 1]), 1, np.float64)
    np.testing.assert_allclose(targets, [[0.15, 0.85]])


def test_class_weights_scale_each_image_and_the_divisor_stays_m():
    logits, labels = a_batch(3)
    plain, plain_cache = CrossEntropy().forward(logits, labels)
    weighted = CrossEntropy(class_weights=(0.5, 2, 1.5))
    losses, cache = weighted.forward(logits, labels)
    scale = np.array([0.5, 2, 1.5])[labels]
    np.testing.assert_allclose(losses, plain * scale)
    np.testing.assert_allclose(weighted.backward(cache, M), CrossEntropy().backward(plain_cache, M) * scale)


def test_balanced_weights_come_from_the_counts_and_weigh_the_classes_alike():
    loss = CrossEntropy(class_weights="balanced").balanced([10, 30, 20])
    np.testing.assert_allclose(loss.class_weights, [2, 2 / 3, 1])  # 60/(3·count)
    assert CrossEntropy().balanced([10, 30, 20]) == CrossEntropy()


def test_balanced_weights_without_counts_are_a_bug_of_the_caller():
    with pytest.raises(ValueError, match="need the class counts first"):
        CrossEntropy(class_weights="balanced").forward(*a_batch(3))


@pytest.mark.parametrize("loss", [MeanSquaredError(), CrossEntropy()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outputs", [[-90, -100], [-1e30, -2e30], [1e-7, -1e5], [3e38, 2e38], [0, 0], [-3e38, 1e38]])
def test_finite_outputs_have_probabilities_in_their_order_however_far_off_they_are(loss, dtype, outputs):
    with np.errstate(invalid="raise", divide="raise", over="ignore"):
        p = loss.probabilities(np.array([outputs], dtype).T)
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-6)
    assert (p >= 0).all()
    assert p[0] == p[1] if outputs[0] == outputs[1] else (p[0] > p[1]) == (outputs[0] > outputs[1])


def test_probabilities_sum_to_one_and_predictions_are_the_most_probable():
    for loss, outputs in [(BinaryCrossEntropy(), 1), (CrossEntropy(), 3), (MeanSquaredError(), 3)]:
        logits = np.random.default_rng(0).normal(0, 2, size=(outputs, 200))  # some all above 1, some all below 0
        p = loss.probabilities(logits)
        np.testing.assert_allclose(p.sum(axis=0), 1)
        np.testing.assert_array_equal(p[loss.predictions(logits), range(p.shape[1])], p.max(axis=0))  # some are tied
    np.testing.assert_allclose(CrossEntropy().probabilities(np.array([[0.0], [1.0]]))[1], 1 / (1 + exp(-1)))


def test_two_classes_need_one_output_for_binary_cross_entropy_and_two_otherwise():
    assert [loss().outputs(2) for loss in LOSSES] == [1, 2, 2]


class Holder(BaseModel):
    loss: LossSpec


@pytest.mark.parametrize("options", [{"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"class_weights": [1, 0]}])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        Holder(loss={"cross_entropy": options})


def test_losses_are_spelled_by_their_type():
    assert Holder(loss="mean_squared_error").loss == MeanSquaredError()
    assert Holder(loss={"cross_entropy": {"label_smoothing": 0.1}}).loss == CrossEntropy(label_smoothing=0.1)
