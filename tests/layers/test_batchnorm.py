from functools import reduce

import numpy as np
import pytest

from cnnbp.layers import BatchNorm, Context

LAYER = BatchNorm(momentum=0.25)
TRAINING = Context(training=True)
RNG = np.random.default_rng(0)
PARAMS = {"gamma": np.array([1.5, -0.5]), "beta": np.array([0.25, 2.0])}


@pytest.mark.parametrize("shape", [(2, 3, 4, 10), (2, 10)], ids=["after a convolution", "after a dense layer"])
@pytest.mark.parametrize("cuts", [[5], [1, 2, 7], [3, 6, 9]], ids=str)
def test_a_batch_in_pieces_gives_what_the_whole_gives(shape, cuts):
    x, dy = RNG.normal(3, 2, size=(2, *shape))
    y, cache = LAYER.forward(PARAMS, x, TRAINING)
    dx, gradients = LAYER.backward(PARAMS, cache, dy, TRAINING)

    xs, dys = (np.split(array, cuts, axis=-1) for array in (x, dy))
    statistics = reduce(LAYER.combine, [LAYER.statistics(PARAMS, piece, TRAINING) for piece in xs])
    ys, caches = zip(*(LAYER.apply(PARAMS, piece, statistics, TRAINING) for piece in xs), strict=True)
    sums, shares = zip(
        *(LAYER.gradient_statistics(PARAMS, *piece, TRAINING) for piece in zip(caches, dys, strict=True)), strict=True
    )
    dxs = [LAYER.apply_gradient(PARAMS, *piece, sum(sums), TRAINING) for piece in zip(caches, dys, strict=True)]
    np.testing.assert_allclose(np.concatenate(ys, axis=-1), y, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(np.concatenate(dxs, axis=-1), dx, rtol=1e-10, atol=1e-13)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(sum(share[name] for share in shares), gradient, rtol=1e-12)


def test_the_output_has_mean_beta_and_deviation_gamma_per_channel():
    y, _ = LAYER.forward(PARAMS, RNG.normal(3, 2, size=(2, 4, 5, 6)), TRAINING)
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), PARAMS["beta"], rtol=1e-12)
    np.testing.assert_allclose(y.std(axis=(1, 2, 3)), abs(PARAMS["gamma"]), rtol=1e-4)


def test_the_input_gradient_sums_to_zero_per_channel_and_so_does_its_product_with_the_output():
    x = RNG.normal(size=(2, 4, 5, 6))
    y, cache = LAYER.forward(PARAMS, x, TRAINING)
    dx, _ = LAYER.backward(PARAMS, cache, RNG.normal(size=y.shape), TRAINING)
    np.testing.assert_allclose(dx.sum(axis=(1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose((dx * y).sum(axis=(1, 2, 3)), 0, atol=1e-3)  # 0 but for ε


def test_running_statistics_move_by_momentum_towards_the_batch_with_the_unbiased_variance():
    x = np.array([[1.0, 2.0, 3.0, 6.0]])  # mean 3, squared distances 4 + 1 + 0 + 9 = 14, over 4 − 1
    state = {"running_mean": np.array([1.0]), "running_var": np.array([2.0])}
    moved = LAYER.updated_state(state, LAYER.statistics({}, x, TRAINING))
    np.testing.assert_allclose(moved["running_mean"], 0.75 * 1 + 0.25 * 3)
    np.testing.assert_allclose(moved["running_var"], 0.75 * 2 + 0.25 * 14 / 3)
    assert (state["running_mean"], state["running_var"]) == ([1.0], [2.0])


def test_after_training_the_running_statistics_stand_in_for_the_batch():
    state = {"running_mean": np.array([1.0, 2.0]), "running_var": np.array([4.0, 9.0])}
    ctx, x = Context(training=False, state=state), RNG.normal(size=(2, 5))
    y, _ = LAYER.forward(PARAMS, x, ctx)
    for c in range(2):
        xhat = (x[c] - state["running_mean"][c]) / np.sqrt(state["running_var"][c] + LAYER.eps)
        np.testing.assert_allclose(y[c], PARAMS["gamma"][c] * xhat + PARAMS["beta"][c])


def test_a_single_value_has_no_spread_and_stays_finite():
    x = np.array([[5.0], [7.0]])
    y, cache = LAYER.forward(PARAMS, x, TRAINING)
    dx, _ = LAYER.backward(PARAMS, cache, np.ones_like(y), TRAINING)
    np.testing.assert_array_equal(y[:, 0], PARAMS["beta"])
    np.testing.assert_array_equal(dx, np.zeros((2, 1)))
    moved = LAYER.updated_state(LAYER.state((2,)), LAYER.statistics(PARAMS, x, TRAINING))
    np.testing.assert_allclose(moved["running_var"], 0.75)


def test_a_large_offset_does_not_swallow_the_spread():
    x = 1e4 + RNG.normal(size=(2, 50)).astype(np.float32)
    count, mean, spread = LAYER.statistics(PARAMS, x, TRAINING)
    np.testing.assert_array_equal(count, 50)
    np.testing.assert_allclose(mean, x.mean(axis=1, dtype=np.float64))
    np.testing.assert_allclose(spread, x.var(axis=1, dtype=np.float64) * 50)


def test_a_new_layer_scales_by_one_shifts_by_zero_and_never_decays():
    specs = BatchNorm().parameters((3, 4, 5))
    assert {name: (spec.shape, spec.fill, spec.decays) for name, spec in specs.items()} == {
        "gamma": ((3,), 1.0, False),
        "beta": ((3,), 0.0, False),
    }
    np.testing.assert_equal(BatchNorm().state((3, 4, 5)), {"running_mean": np.zeros(3), "running_var": np.ones(3)})
