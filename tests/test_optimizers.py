import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from cnnbp.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Optimizer, OptimizerSpec, RMSprop


def after(optimizer: Optimizer, gradients: list[float], theta: float = 1.0, *, decays: bool = False) -> float:
    """Return θ after one step for each gradient."""
    vector, slots = np.array([theta]), optimizer.slots(1, np.dtype(np.float64))
    for count, gradient in enumerate(gradients, 1):
        optimizer.step(vector, np.array([gradient]), np.array([float(decays)]), slots, lr=optimizer.lr, count=count)
    return float(vector[0])


def test_sgd_steps_against_the_gradient():
    assert after(SGD(lr=0.5), [2.0]) == 1 - 0.5 * 2


def test_momentum_keeps_a_share_of_the_velocity():
    """v = 2, then 0.5·2 + 4 = 5."""
    assert after(SGD(lr=0.1, momentum=0.5), [2.0, 4.0]) == pytest.approx(1 - 0.1 * 2 - 0.1 * 5)


def test_nesterov_looks_ahead_along_the_velocity():
    """v = 2: g + 0.5·v = 3; then v = 5: 4 + 0.5·5 = 6.5."""
    assert after(SGD(lr=0.1, momentum=0.5, nesterov=True), [2.0, 4.0]) == pytest.approx(1 - 0.1 * 3 - 0.1 * 6.5)


def test_rmsprop_divides_by_the_root_of_the_mean_square():
    """s = 0.25·2² = 1: a step of 2/(1 + 1); then s = 0.75·1 + 0.25·(√13)² = 4: √13/(2 + 1)."""
    optimizer = RMSprop(lr=0.1, rho=0.75, eps=1)
    assert after(optimizer, [2.0, 13**0.5]) == pytest.approx(1 - 0.1 * 2 / 2 - 0.1 * 13**0.5 / 3)


def test_adams_first_step_is_the_learning_rate_whatever_the_gradient():
    for gradient in (1e-3, 1.0, 500.0):
        assert after(Adam(lr=0.1), [gradient]) == pytest.approx(0.9, abs=1e-6)
        assert after(Adam(lr=0.1), [-gradient]) == pytest.approx(1.1, abs=1e-6)


def test_adams_second_step_by_hand():
    """β₁ = 1/2, β₂ = 3/4, g = 1 then 3: m = 1/2, 7/4; m̂ = 1, 7/3; v = 1/4, 39/16; v̂ = 1, 39/7."""
    second = 0.1 * (7 / 3) / (39 / 7) ** 0.5
    assert after(Adam(lr=0.1, beta1=0.5, beta2=0.75, eps=1e-300), [1.0, 3.0]) == pytest.approx(1 - 0.1 - second)


def test_decay_adds_to_the_gradient():
    """The gradient of weight_decay/2·θ² is 0.5·1."""
    assert after(SGD(lr=0.1, weight_decay=0.5), [2.0], decays=True) == pytest.approx(1 - 0.1 * 2.5)


def test_adamw_decays_apart_from_the_gradient():
    assert after(AdamW(lr=0.1, weight_decay=0.5), [0.0], decays=True) == pytest.approx(1 - 0.1 * 0.5)
    assert after(AdamW(lr=0.1, weight_decay=0.5), [2.0], decays=True) == pytest.approx(0.95 - 0.1)


DECAYING = [SGD(weight_decay=0.5), RMSprop(weight_decay=0.5), Adam(weight_decay=0.5), AdamW(weight_decay=0.5)]


@pytest.mark.parametrize("optimizer", DECAYING, ids=lambda optimizer: optimizer.type)
def test_decay_leaves_alone_what_does_not_decay(optimizer):
    without = optimizer.model_copy(update={"weight_decay": 0.0})
    assert after(optimizer, [2.0, 1.0]) == after(without, [2.0, 1.0])
    assert after(optimizer, [2.0, 1.0], decays=True) < after(without, [2.0, 1.0])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.type)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_works_in_place_in_the_vectors_own_dtype_and_leaves_the_gradient(optimizer, dtype):
    theta, gradient, decays = np.ones(3, dtype), np.full(3, 2, dtype), np.ones(3, dtype)
    slots = optimizer().slots(3, theta.dtype)
    kept = dict(slots)
    optimizer().step(theta, gradient, decays, slots, lr=0.1, count=1)
    assert (theta < 1).all()
    np.testing.assert_array_equal(gradient, 2)
    assert theta.dtype == dtype
    assert all(slots[name] is kept[name] and slots[name].dtype == dtype for name in kept)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.type)
def test_the_state_is_all_there_is_so_a_run_can_go_on_from_a_copy(optimizer):
    gradients, decays = np.random.default_rng(0).normal(size=(10, 4)), np.ones(4)
    theta, slots = np.ones(4), optimizer().slots(4, np.dtype(float))

    def go_on(theta: np.ndarray, slots: dict[str, np.ndarray], first: int, last: int) -> None:
        for count in range(first, last + 1):
            optimizer().step(theta, gradients[count - 1], decays, slots, lr=0.1, count=count)

    go_on(theta, slots, 1, 5)
    resumed, its_slots = theta.copy(), {name: slot.copy() for name, slot in slots.items()}
    go_on(theta, slots, 6, 10)
    go_on(resumed, its_slots, 6, 10)
    np.testing.assert_array_equal(resumed, theta)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(lr=0.1),
        SGD(lr=0.05, momentum=0.9, nesterov=True),
        RMSprop(lr=0.05),
        Adam(lr=0.1),
        AdamW(lr=0.1, weight_decay=0),
    ],
    ids=lambda optimizer: optimizer.type,
)
def test_every_optimizer_reaches_the_bottom_of_a_bowl(optimizer):
    theta, bottom = np.array([4.0, -3.0]), np.array([1.0, 2.0])
    slots = optimizer.slots(2, theta.dtype)
    for count in range(1, 400):
        optimizer.step(theta, np.array([1.0, 4.0]) * (theta - bottom), np.zeros(2), slots, lr=optimizer.lr, count=count)
    np.testing.assert_allclose(theta, bottom, atol=0.05)


class Holder(BaseModel):
    optimizer: OptimizerSpec


def test_optimizers_are_spelled_by_their_type():
    assert Holder(optimizer="sgd").optimizer == SGD()
    assert Holder(optimizer={"adam": {"lr": 0.003}}).optimizer == Adam(lr=0.003)


@pytest.mark.parametrize(
    "spelling",
    [{"sgd": {"lr": 0}}, {"sgd": {"momentum": 1}}, {"adam": {"beta2": -0.1}}, {"sgd": {"weight_decay": -1}}, "adagrad"],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(spelling):
    with pytest.raises(ValidationError):
        Holder(optimizer=spelling)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValidationError, match="nesterov needs a momentum above 0"):
        SGD(nesterov=True)
