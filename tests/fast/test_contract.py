"""What holds for everything that replaces layers: it is the same function, with the same gradients, in any memory."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbp.arrays import Arena, Array
from cnnbp.fast import Operation, Replacement
from cnnbp.fast.kernels import products, strips
from cnnbp.fast.operation import CoupledReplacement
from cnnbp.layers import Context, CoupledLayer, MaxPool2d, ReLU
from cnnbp.layers.windows import im2col
from tests.fast.contract_cases import CASES, batchnorm, conv_in_strips

UNIT_ROUNDOFF = {np.float32: 2.0**-24, np.float64: 2.0**-53}
DISTURBANCE = 2.0**-30  # of every number, to see how much a result amplifies what is rounded
SAMPLES = 4
MOST_UNITS = 40  # so many roundings of its inputs may a result be off
MOST_OF_WINOGRAD = 120  # whose sums are of larger numbers
EXACT = [case for case in CASES if case not in (conv_in_strips, batchnorm)]  # sums and products of whole numbers alone
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


def to_strips(x: Array, S: int) -> Array:
    """Return a feature map as what takes S strips reads it; itself for 0."""
    return strips.cut(x, S, Context()) if S else x


def from_strips(x: Array, S: int) -> Array:
    return strips.join(x, S, Context()) if S else x


@dataclass
class Given:
    """What an operation is run on, in float64."""

    operation: Operation
    params: dict[str, Array]
    x: Array
    dy: Array
    state: dict[str, Array]
    training: bool

    def context(self, **options: Any) -> Context:
        return Context(training=self.training, state=self.state, **options)

    def astype(self, dtype: type) -> "Given":
        params = {name: array.astype(dtype) for name, array in self.params.items()}
        return replace(self, params=params, x=self.x.astype(dtype), dy=self.dy.astype(dtype))

    def disturbed(self, rng: np.random.Generator) -> "Given":
        def moved(array: Array) -> Array:
            return array * (1 + DISTURBANCE * rng.choice([-1, 1], array.shape))

        params = {name: moved(array) for name, array in self.params.items()}
        return replace(self, params=params, x=moved(self.x), dy=moved(self.dy))

    def as_written(self) -> dict[str, Array]:
        """Return y, dx and dθ of the nodes as they are written."""
        written = self.operation.written
        y, cache = written.forward(self.params, self.x, self.context())
        dx, gradients = written.backward(self.params, cache, self.dy, self.context())
        return {"y": y, "dx": dx, **gradients}

    def terms(self) -> Array:
        """Return what dx is made of: itself, and γ/σ·dy where batch norm takes away what the mean has of it."""
        layer = self.operation.nodes[0].layer
        if not isinstance(layer, CoupledLayer):
            return self.as_written()["dx"]
        _, cache = layer.forward(self.params, self.x, self.context())
        return layer.apply_gradient(self.params, cache, self.dy, np.zeros((2, len(self.x))), self.context())

    def fast(self, arena: Arena | None = None, **options: Any) -> dict[str, Array | None]:
        """Return the same of what replaces them, as feature maps."""
        layer, takes, gives = self.operation.layer, self.operation.takes, self.operation.gives
        context = self.context(arena=arena or Arena(), **options)
        y, cache = layer.forward(self.params, to_strips(self.x, takes).copy(), context)
        y_there = from_strips(y, gives).copy()  # what comes next may overwrite it, unless backward reads it
        if not layer.caches_output and options.get("may_overwrite"):
            y.fill(np.nan)
        dx, gradients = layer.backward(self.params, cache, to_strips(self.dy, gives).copy(), context)
        return {"y": y_there, "dx": None if dx is None else from_strips(dx, takes), **gradients}


@st.composite
def drawn(draw: Any, case: Any) -> Given:
    M = draw(st.sampled_from([1, 2, 3, 5, 8, 16, 33, 48]))
    operation = case(draw, M)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    first = operation.nodes[0]
    params = {name: rng.normal(0.3, 1, spec.shape) for name, spec in operation.owner.parameter_specs.items()}
    state = {
        name: array + rng.uniform(0.1, 1, array.shape)
        for name, array in first.layer.state(first.input_shapes[0]).items()
    }
    x = rng.normal(0.5, 1, (*first.input_shapes[0], M)).astype(np.float32).astype(np.float64)
    dy = rng.normal(size=(*operation.nodes[-1].output_shape, M)).astype(np.float32).astype(np.float64)
    params = {name: array.astype(np.float32).astype(np.float64) for name, array in params.items()}
    training = not operation.is_coupled or draw(st.booleans())
    found = Given(operation, params, x, dy, state, training)
    found.dy[near_a_kink(found)] = 0
    return found


def near_a_kink(given: Given) -> Array:
    """Return which outputs rounding could put on another piece: a maximum nearly tied, a ReLU's input nearly 0."""
    x, near = given.x, np.zeros(given.x.shape, bool)
    exact = True  # so far nothing is rounded
    for node in given.operation.nodes:
        margin = 0 if exact else 1e-4 * np.abs(x).max(initial=0)
        y, _ = node.layer.forward(given.params if node.parameter_specs else {}, x, given.context())
        if isinstance(node.layer, ReLU):
            near = near | (np.abs(x) < margin)
        elif isinstance(node.layer, MaxPool2d):
            window = node.layer.window(x.shape)
            values, nears = np.sort(im2col(x, window, fill=-np.inf), axis=1), im2col(near, window)
            tied = values[:, -1] - values[:, -2] < margin if values.shape[1] > 1 else np.zeros(y.shape, bool)
            near = tied | nears.any(axis=1)
        else:
            near, exact = np.zeros(y.shape, bool), False
        x = y
    return near


def units_off(given: Given, got: dict[str, Array | None], dtype: type) -> Iterator[tuple[str, float]]:
    """Yield by how many roundings of its inputs each tensor is off: the largest error, over what one becomes."""
    rng, exact = np.random.default_rng(0), given.as_written()
    samples = [given.disturbed(rng).as_written() for _ in range(SAMPLES)]
    assert got.keys() == exact.keys()
    for name, wanted in exact.items():
        if got[name] is None:
            continue  # where nobody wants it
        spread = np.std([sample[name] for sample in samples], axis=0).max(initial=0) / DISTURBANCE
        spread = max(spread, np.abs(given.terms() if name == "dx" else wanted).max(initial=0), 1e-30)
        assert (got[name].shape, got[name].dtype) == (wanted.shape, dtype), name
        yield name, float(np.abs(got[name] - wanted).max(initial=0) / (UNIT_ROUNDOFF[dtype] * spread))


def most(given: Given) -> float:
    return MOST_OF_WINOGRAD if "winograd" in given.operation.kernel else MOST_UNITS


def same(left: dict[str, Array | None], right: dict[str, Array | None]) -> None:
    np.testing.assert_equal(left, right)


@every_case
@settings(max_examples=25)
@given(data=st.data())
def test_it_comes_to_its_layers_as_they_are_written_but_for_rounding(case, data):
    given = data.draw(drawn(case))
    for dtype in (np.float32,) if "winograd" in given.operation.kernel else (np.float32, np.float64):
        for name, units in units_off(given, given.astype(dtype).fast(), dtype):
            assert units < most(given), f"{name} is {units:.0f} roundings off in {np.dtype(dtype)}"


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case.__name__)
@settings(max_examples=12)
@given(data=st.data())
def test_whole_numbers_give_its_layers_own_bits_and_of_tied_maxima_the_first_takes_the_gradient(case, data):
    given, rng = data.draw(drawn(case)), np.random.default_rng(data.draw(st.integers(0, 999)))
    given.x, given.dy = rng.integers(-1, 2, given.x.shape), rng.integers(-3, 4, given.dy.shape)
    given.params = {name: rng.integers(-2, 3, array.shape) for name, array in given.params.items()}
    given = given.astype(data.draw(st.sampled_from([np.float32, np.float64])))
    got, expected = given.fast(), given.as_written()
    same(got, expected if got["dx"] is not None else {**expected, "dx": None})


@every_case
@settings(max_examples=12)
@given(data=st.data())
def test_what_it_may_or_need_not_do_changes_no_bit(case, data):
    given = data.draw(drawn(case)).astype(np.float32)
    expected = given.fast()
    same(given.fast(may_overwrite=True), expected)
    places = {name: np.full_like(array, np.nan) for name, array in given.params.items()}
    same(given.fast(accumulators=places), expected)
    unwanted = given.fast(wants_dx=False)
    if given.params:
        assert unwanted["dx"] is None
        same(unwanted, {**expected, "dx": None})


@every_case
@settings(max_examples=12)
@given(data=st.data())
def test_memory_that_was_used_before_changes_no_bit(case, data):
    given, arena = data.draw(drawn(case)).astype(np.float32), Arena()
    expected = given.fast()
    for _ in range(
        3
    ):  # the first round finds out how much memory is needed, the second makes views, the third has them
        same(deepcopy(given.fast(arena)), expected)
        arena.reset()
        arena._block.fill(255)  # NaN, whatever is read there before it is written


@every_case
@settings(max_examples=12)
@given(data=st.data())
def test_nothing_that_comes_in_is_changed_and_a_second_backward_gives_the_same(case, data):
    given = data.draw(drawn(case)).astype(np.float32)
    layer, context = given.operation.layer, given.context()
    x, dy = to_strips(given.x, given.operation.takes), to_strips(given.dy, given.operation.gives)
    before = deepcopy((given.params, x, dy))
    _, cache = layer.forward(given.params, x, context)
    kept = deepcopy(cache)
    first, second = (deepcopy(layer.backward(given.params, cache, dy, context)) for _ in range(2))
    np.testing.assert_equal(second, first)
    np.testing.assert_equal((given.params, x, dy), before)
    np.testing.assert_equal(cache, kept)


@every_case
@settings(max_examples=10)
@given(data=st.data())
def test_how_the_library_multiplies_changes_no_more_than_rounding(case, data):
    given, found = data.draw(drawn(case)), []
    with pytest.MonkeyPatch.context() as patch:
        for limit in (0, 2000, 10**6):  # packed, in tiles, in one piece without packing
            patch.setattr(products, "unpacked_multiplications", lambda limit=limit: limit)
            products._tile.cache_clear()
            found.append(given.astype(np.float32).fast())
    for got in found:
        for name, units in units_off(given, got, np.float32):
            assert units < most(given), name


def replacements(kind: type) -> Iterator[type]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from replacements(subclass)


def test_every_replacement_is_among_the_cases():
    seen: set[type] = set()

    @settings(max_examples=200, derandomize=True, database=None)
    @given(data=st.data(), case=st.sampled_from(CASES))
    def look(data, case):
        layer = case(data.draw, 2).layer
        seen.update({type(layer), type(getattr(layer, "layer", None))})

    look()
    assert set(replacements(Replacement)) - {CoupledReplacement} <= seen
