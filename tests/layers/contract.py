"""What holds for every layer, given in some ways that it works with an input shape each.

@holds_for(case(ReLU(), (2, 3, 4)))
class TestReLU(ImageByImageContract): ...
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from cnnbp.arrays import Array, Shape
from cnnbp.gradcheck.textbook import central_differences
from cnnbp.layers import Context, Layer, PiecewiseLayer
from tests import reference

M = 3
TOLERANCE = 1e-7  # of the largest number of the tensor

Tensors = dict[str, Array]


@dataclass(frozen=True)
class Case:
    """A layer with all that a call of it needs, in float64."""

    layer: Layer
    shapes: tuple[Shape, ...]
    training: bool

    def __str__(self) -> str:
        options = ",".join(f"{name}={getattr(self.layer, name)}" for name in sorted(self.layer.model_fields_set))
        shapes = "+".join("x".join(map(str, shape)) for shape in self.shapes)
        return f"{self.layer.type}-{options or 'defaults'}-{shapes}{'' if self.training else '-inference'}"

    @property
    def inputs(self) -> list[Array]:
        """One array for each input; no two numbers of one are near each other, and none is near 0."""
        rng = np.random.default_rng(1)
        return [rng.permutation(evenly(int(np.prod(shape)) * M)).reshape(*shape, M) for shape in self.shapes]

    @property
    def params(self) -> Tensors:
        rng = np.random.default_rng(2)
        specs = self.layer.parameters(self.shapes[0])
        return {name: rng.normal(0.3, 1, spec.shape) for name, spec in specs.items()}

    @property
    def dy(self) -> Array:
        return np.random.default_rng(3).normal(size=(*self.layer.output_shape(*self.shapes), M))

    def context(self, **options: Any) -> Context:
        rng = np.random.default_rng(4)
        start = self.layer.state(self.shapes[0])
        state = {name: array + rng.uniform(0, 0.5, array.shape) for name, array in start.items()}
        return Context(training=self.training, state=state, stream=(1, 2, 3, 4), **options)

    def forward(self, params: Tensors, inputs: Sequence[Array], **options: Any) -> tuple[Array, Any]:
        return self.layer.forward(params, as_x(inputs), self.context(**options))

    def backward(self, params: Tensors, cache: Any, dy: Array, **options: Any) -> tuple[list[Array], Tensors]:
        dx, gradients = self.layer.backward(params, cache, dy, self.context(**options))
        return [dx] if len(self.shapes) == 1 else list(dx), gradients

    def both(self, params: Tensors, inputs: Sequence[Array], dy: Array) -> tuple[Array, list[Array], Tensors]:
        y, cache = self.forward(params, inputs)
        return y, *self.backward(params, cache, dy)


def case(layer: Layer, *shapes: Shape, training: bool = True) -> Case:
    return Case(layer, shapes, training)


def holds_for(*cases: Case) -> pytest.MarkDecorator:
    """Give a contract its cases."""
    return pytest.mark.parametrize("case", cases, ids=str)


def as_x(inputs: Sequence[Array]) -> Any:
    """Return what a layer takes: an array, or a tuple where it has two inputs."""
    return inputs[0] if len(inputs) == 1 else tuple(inputs)


def evenly(count: int) -> Array:
    """Return numbers from −2 to 2 that are equally far apart, none of them 0."""
    return np.linspace(-2, 2, count + count % 2)[:count]


def assert_close(actual: Array, expected: Array, tolerance: float = TOLERANCE) -> None:
    """Compare within a share of the tensor's largest number."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def dot(left: Iterable[Array], right: Iterable[Array]) -> Any:
    return sum((a * b).sum() for a, b in zip(left, right, strict=True))


class LayerContract:
    """For every layer."""

    def test_forward_is_the_naive_loop(self, case: Case) -> None:
        y, _ = case.forward(case.params, case.inputs)
        naive = getattr(reference, case.layer.type, None)
        assert naive, f"write what {case.layer.type} computes once more, number by number, in tests/reference.py"
        expected = naive(case.layer, case.params, as_x(case.inputs), case.context())
        assert y.shape == (*case.layer.output_shape(*case.shapes), M)
        assert_close(y, expected, 1e-13)

    def test_backward_is_the_central_difference(self, case: Case) -> None:
        params, inputs, dy = case.params, case.inputs, case.dy

        def value() -> float:
            y, _ = case.forward(params, inputs)
            return float((dy * y).sum())

        _, dxs, gradients = case.both(params, inputs, dy)
        for dx, x in zip(dxs, inputs, strict=True):
            assert_close(dx, central_differences(value, x))
        assert gradients.keys() == params.keys()
        for name, gradient in gradients.items():
            assert_close(gradient, central_differences(value, params[name]))

    def test_backward_is_the_complex_step_on_the_pieces_that_forward_took(self, case: Case) -> None:
        """Im F(x + i·h·v)/h is the derivative along v to the last bits: nothing cancels, so h can be tiny."""
        h, rng, layer = 1e-30, np.random.default_rng(5), case.layer
        params, inputs, dy = case.params, case.inputs, case.dy
        y, cache = case.forward(params, inputs)
        dxs, gradients = case.backward(params, cache, dy)
        moved = [rng.normal(size=array.shape) for array in [*inputs, *params.values()]]
        complex_params = {name: params[name] + 1j * h * v for name, v in zip(params, moved[len(inputs) :], strict=True)}
        x = as_x([array + 1j * h * v for array, v in zip(inputs, moved[: len(inputs)], strict=True)])
        if isinstance(layer, PiecewiseLayer):
            pieces = layer.branches(params, cache, case.context())
            np.testing.assert_array_equal(layer.forward_on(params, as_x(inputs), pieces, case.context()), y)
            complex_y = layer.forward_on(complex_params, x, pieces, case.context())
        else:
            complex_y, _ = layer.forward(complex_params, x, case.context())
        expected = dot([*dxs, *(gradients[name] for name in params)], moved)
        np.testing.assert_allclose((dy * complex_y.imag).sum() / h, expected, rtol=1e-11)

    def test_float32_stays_float32_and_near_float64(self, case: Case) -> None:
        params = {name: array.astype(np.float32) for name, array in case.params.items()}
        inputs = [array.astype(np.float32) for array in case.inputs]
        single = case.both(params, inputs, case.dy.astype(np.float32))
        double = case.both(case.params, case.inputs, case.dy)
        for got, precise in zip(tensors_of(*single), tensors_of(*double), strict=True):
            assert (got.dtype, precise.dtype) == (np.float32, np.float64)
            assert_close(got, precise, 1e-5)

    def test_nothing_that_comes_in_is_changed(self, case: Case) -> None:
        params, inputs, dy = case.params, case.inputs, case.dy
        _, cache = case.forward(params, inputs)
        kept = copy.deepcopy(cache)
        case.backward(params, cache, dy)
        np.testing.assert_equal(cache, kept)
        np.testing.assert_equal([params, inputs, dy], [case.params, case.inputs, case.dy])

    def test_backward_twice_gives_the_same_bits(self, case: Case) -> None:
        _, cache = case.forward(case.params, case.inputs)
        np.testing.assert_equal(*(case.backward(case.params, cache, case.dy) for _ in range(2)))

    def test_working_in_place_gives_the_same_bits(self, case: Case) -> None:
        y, dxs, gradients = case.both(case.params, case.inputs, case.dy)
        y_over_x, cache = case.forward(case.params, case.inputs, may_overwrite=True)
        np.testing.assert_array_equal(y_over_x, y)
        np.testing.assert_equal(case.backward(case.params, cache, case.dy, may_overwrite=True), (dxs, gradients))

    def test_leaving_out_the_input_gradient_leaves_the_others(self, case: Case) -> None:
        _, cache = case.forward(case.params, case.inputs)
        _, all_of_them = case.backward(case.params, cache, case.dy)
        _, gradients = case.layer.backward(case.params, cache, case.dy, case.context(wants_dx=False))
        np.testing.assert_equal(gradients, all_of_them)


class ImageByImageContract(LayerContract):
    """For every layer that looks at each image alone."""

    def test_a_batch_is_its_images_one_by_one(self, case: Case) -> None:
        y, dxs, gradients = case.both(case.params, case.inputs, case.dy)
        alone = [
            case.both(case.params, [array[..., [m]] for array in case.inputs], case.dy[..., [m]]) for m in range(M)
        ]
        assert_close(np.concatenate([y for y, _, _ in alone], axis=-1), y, 1e-13)
        for i, dx in enumerate(dxs):
            assert_close(np.concatenate([dxs[i] for _, dxs, _ in alone], axis=-1), dx, 1e-13)
        for name, gradient in gradients.items():
            assert_close(sum(gradients[name] for _, _, gradients in alone), gradient, 1e-13)


def tensors_of(y: Array, dxs: list[Array], gradients: Tensors) -> list[Array]:
    return [y, *dxs, *gradients.values()]
