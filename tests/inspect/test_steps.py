import numpy as np
import pytest

from cnnbp.inspect.record import Model, Record, image_gradients, record_batch
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.inspect.steps import backward_steps, forward_steps
from cnnbp.inspect.symbols import derive_symbols
from cnnbp.layers import SPELLINGS, Dense, Layer, ReLU, Residual
from cnnbp.layers.base import Context, Params
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from cnnbp.network import Network
from tests.inspect.lecture import X, Y, by_hand, lecture_model
from tests.random_networks import random_network


def steps_of(record: Record) -> dict[str, Step]:
    symbols = derive_symbols(record.model.network)
    images = None if record.couples_images else list(image_gradients(record))
    steps = [*forward_steps(record, symbols), *backward_steps(record, symbols, images)]
    assert len({step.symbol for step in steps}) == len(steps)
    return {step.symbol: step for step in steps}


def test_every_number_of_the_lecture_is_the_one_derived_by_hand():
    model = lecture_model()
    steps, expected = steps_of(record_batch(model, X, Y)), by_hand(model)
    assert list(steps) == list(expected)  # in the order of the derivation
    for symbol, step in steps.items():
        numbers = step.images if isinstance(step, ParameterStep) else step.value
        np.testing.assert_allclose(numbers, expected[symbol], rtol=1e-12, atol=1e-15, err_msg=symbol)


def test_a_parameters_gradient_is_the_sum_of_its_stack():
    steps = steps_of(record_batch(lecture_model(), X, Y))
    assert steps["∂L/∂W2"].images.shape == (1, 4, 4)  # 1×4×M
    np.testing.assert_allclose(steps["∂L/∂W2"].images.sum(axis=-1), steps["∂L/∂W2"].value, rtol=1e-13)


def test_the_formulas_are_the_lectures():
    formulas = {symbol: step.formula for symbol, step in steps_of(record_batch(lecture_model(), X, Y)).items()}
    assert formulas["Z1"] == "X ⋆ W1 + b1"
    assert formulas["Z2"] == "W2 · f + b2"
    assert formulas["A2"] == "σ(Z2)"
    assert formulas["L"] == "−1/M Σₘ [Y log A2 + (1 − Y) log(1 − A2)]"
    assert formulas["∂L/∂A2"] == "(A2 − Y)/(A2(1 − A2))/M"
    assert formulas["∂L/∂Z2"] == "∂L/∂A2 ⊙ ∂A2/∂Z2 = (A2 − Y)/M"
    assert formulas["∂L/∂W2"] == "∂L/∂Z2 · fᵀ"
    assert formulas["∂L/∂f"] == "W2ᵀ · ∂L/∂Z2"
    assert formulas["∂L/∂Z1"] == "∂L/∂A1 ⊙ [Z1 > 0]"
    assert formulas["∂L/∂W1"] == "X ⋆ ∂L/∂Z1"
    assert formulas["∂L/∂X"] == "full convolution of ∂L/∂Z1 with W1"


@pytest.mark.parametrize("seed", range(30))
def test_every_layer_and_option_has_a_formula_with_everything_filled_in(seed):
    drawn = random_network(seed)
    record = record_batch(Model(drawn.network, drawn.loss, drawn.params, drawn.state), drawn.x, drawn.labels)
    for step in steps_of(record).values():
        assert step.formula
        assert not set("{}") & set(step.formula)


def scored(loss: Loss, K: int) -> tuple[Record, dict[str, np.ndarray]]:
    network = Network((3,), [Dense(units=K)])
    rng = np.random.default_rng(2)
    model = Model(network, loss, network.initial_parameters(0), {})
    record = record_batch(model, rng.normal(size=(3, 5)), rng.integers(0, max(K, 2), 5))
    return record, {symbol: step.value for symbol, step in steps_of(record).items()}


@pytest.mark.parametrize("weights", [None, (0.5, 2.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_two_factors_of_a_sigmoids_slope_multiply_to_the_one_that_training_uses(weights, smoothing):
    _, values = scored(BinaryCrossEntropy(class_weights=weights, label_smoothing=smoothing), 1)
    np.testing.assert_allclose(values["∂L/∂A1"] * values["∂A1/∂Z1"], values["∂L/∂Z1"], rtol=1e-12)


@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_softmaxs_jacobian_takes_its_slope_to_the_one_that_training_uses(weights, smoothing):
    _, values = scored(CrossEntropy(class_weights=weights, label_smoothing=smoothing), 3)
    A, dA = values["A1"], values["∂L/∂A1"]
    np.testing.assert_allclose(A * (dA - (A * dA).sum(axis=0)), values["∂L/∂Z1"], rtol=1e-12, atol=1e-16)


def test_a_loss_on_the_outputs_themselves_has_no_activation_in_between():
    _, values = scored(MeanSquaredError(), 3)
    assert list(values) == ["X", "Z1", "Y", "L", "∂L/∂Z1", "∂L/∂W1", "∂L/∂b1", "∂L/∂X"]


def test_a_saturated_output_has_an_infinite_factor_and_a_finite_product():
    network = Network((1,), [Dense(units=1, bias=False)])
    params = network.initial_parameters(0)
    params.vector[:] = 1000
    steps = steps_of(record_batch(Model(network, BinaryCrossEntropy(), params, {}), np.ones((1, 1)), np.array([0])))
    assert np.isinf(steps["∂L/∂A1"].value).all()
    assert steps["∂L/∂Z1"].value == 1


def test_a_value_that_two_layers_read_has_both_parts_in_its_formula():
    network = Network((2,), [Residual(layers=[ReLU()]), Dense(units=1)])
    model = Model(network, BinaryCrossEntropy(), network.initial_parameters(0), {})
    steps = steps_of(record_batch(model, np.ones((2, 1)), np.array([1])))
    assert steps["R"].formula == "A0 + X"
    assert steps["∂L/∂X"].formula == "∂L/∂A0 ⊙ [X > 0] + ∂L/∂R, to both sides"


def test_a_layer_without_a_formula_is_shown_by_its_name():
    class Doubling(Layer):
        type = "doubling"

        def forward(self, params: Params, x: np.ndarray, ctx: Context) -> tuple[np.ndarray, None]:
            return 2 * x, None

        def backward(self, params: Params, cache: None, dy: np.ndarray, ctx: Context) -> tuple[np.ndarray, dict]:
            return 2 * dy, {}

    assert Doubling.type not in SPELLINGS
    network = Network((2,), [Dense(units=1), Doubling()])
    model = Model(network, BinaryCrossEntropy(), network.initial_parameters(0), {})
    steps = steps_of(record_batch(model, np.ones((2, 1)), np.array([1])))
    assert steps["A1"].formula == "doubling(Z1)"
    assert steps["∂L/∂Z1"].formula == "doubling′ · ∂L/∂A1"
