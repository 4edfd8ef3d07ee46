"""Mistakes in the code that makes training fast: in transforms, tiles, strips, blocks and what is done along."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast import Operation
from cnnbp.fast.kernels import winograd
from cnnbp.fast.kernels.pairs import Winners
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Mistake, on_dx, on_gradient
from cnnbp.gradcheck.bugs.replacing import FastBug, FastPass, has
from cnnbp.layers.activations import ReLU
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.network import INPUT

_ENTRY = 1 / 64  # what is written into a transform where 0 belongs


def _window(step: FastPass) -> Any:
    return step.operation.nodes[0].layer.window(step.operation.nodes[0].input_shapes[0])


def _padded(step: FastPass, mode: Any) -> Array:
    (top, bottom), (left, right) = _window(step).pad
    return np.pad(step.image, ((0, 0), (top, bottom), (left, right), (0, 0)), mode=mode)


def _transform_entry(step: FastPass) -> Array:
    """Write an entry of Aᵀ where 0 belongs: the first point's product, w₀ ⋆ (B x̄)₀, gets into a tile's second row."""
    W, z, xp = step.params["W"], step.z, _padded(step, "constant")
    kh, kw = W.shape[2:]
    for start in range(0, z.shape[1], winograd.tile_rows(kh)):
        rows = min(winograd.tile_rows(kh), z.shape[1] - start)
        _, B, _ = winograd.matrices(rows, kh)
        mixed = np.tensordot(B[1], xp[:, start : start + len(B)], axes=(0, 1))  # (C, W̄, M)
        if rows > 1:
            z[:, start + 1] += _ENTRY * sum(
                np.tensordot(W[:, :, 0, j], mixed[:, j : j + z.shape[2]], axes=1) for j in range(kw)
            )
    return step.after(z)


def _last_tile(step: FastPass) -> Array:
    z, rows = step.z, winograd.tile_rows(step.params["W"].shape[2])
    z[:, (z.shape[1] - 1) // rows * rows :] = 0
    return step.after(z)


def _last_row(step: FastPass) -> Array:
    z = step.z
    z[:, -1] = 0
    return step.after(z)


def _edge_for_padding(step: FastPass) -> Array:
    W, xp, z = step.params["W"], _padded(step, "edge"), step.z
    z[...] = step.params["b"][:, None, None, None] if "b" in step.params else 0
    for i, j in np.ndindex(W.shape[2:]):
        z += np.tensordot(W[:, :, i, j], xp[:, i : i + z.shape[1], j : j + z.shape[2]], axes=1)
    return step.after(z)


def _strips(step: FastPass) -> int:
    layer = step.layer
    return int(getattr(layer, "S", 0) or getattr(getattr(layer, "layer", None), "S", 0))


def _without_neighbours(step: FastPass) -> Array:
    """Convolve each strip as if nothing but padding lay beside it."""
    parts = np.split(step.image, _strips(step), axis=2)
    return step.after(np.concatenate([step.convolved(np.ascontiguousarray(part)) for part in parts], axis=2))


def _strips_mixed_up(step: FastPass) -> Array:
    parts = np.split(step.as_map(step.y, step.operation.gives), _strips(step), axis=2)
    return np.concatenate(parts[1:] + parts[:1], axis=2)


def _with_bias(times: float) -> Callable[[FastPass], Array]:
    def forward(step: FastPass) -> Array:
        y, _ = step.layer.forward({**step.params, "b": times * step.params["b"]}, step.x, step.ctx)
        return step.as_map(y, step.operation.gives)

    return forward


def _bias_after_relu(step: FastPass) -> Array:
    b = step.params["b"][:, None, None, None]
    return step.after(step.z - b) + b


def _dx_map(change: Callable[[FastPass, Array], Array]) -> Mistake:
    """Return the mistake that changes ∂L/∂x, seen as a feature map."""

    def changed(step: Any, dx: Array) -> Array:
        S = step.operation.takes
        return step.in_strips(np.ascontiguousarray(change(step, step.as_map(dx, S))), S)

    return on_dx(changed)


def _winners(change: Callable[[Winners], Winners]) -> Mistake:
    """Return the mistake that gives a window's gradient to another place."""

    def elsewhere(cache: Any) -> Any:
        if isinstance(cache, Winners):
            return change(cache)
        return tuple(map(elsewhere, cache)) if type(cache) is tuple else cache

    return lambda step: replace(step, cache=elsewhere(step.cache)).right()


def _first_half_of_images(step: BackwardPass) -> tuple[Any, Gradients]:
    dx, gradients = step.right()
    dy = step.dy.copy()
    dy[..., dy.shape[-1] // 2 :] = 0
    return dx, {**gradients, "W": step.with_dy(dy)[1]["W"]}


def _unflipped(step: BackwardPass) -> tuple[Any, Gradients]:
    dx, _ = step.with_params(W=step.params["W"][..., ::-1, ::-1])
    return dx, step.right()[1]


def _unmasked(step: Any) -> tuple[Any, Gradients]:
    _, inner = step.cache
    return step.layer.layer.backward(step.params, inner, step.dy, step.ctx)


def _other_quarter(step: Any) -> tuple[Any, Gradients]:
    """Take the windows of the odd columns for those of the even ones."""

    def swapped(cache: Any) -> Any:
        first, second = cache
        return (
            (first, swapped(second))
            if isinstance(second, tuple) and not isinstance(second, Winners)
            else (
                first[[2, 3, 0, 1]],
                second,
            )
        )

    return replace(step, cache=swapped(step.cache)).right()


def _columns_swapped(_: FastPass, dx: Array) -> Array:
    swapped = dx.copy()
    swapped[:, :, 0::2], swapped[:, :, 1::2] = dx[:, :, 1::2], dx[:, :, 0::2]
    return swapped


def _mask_of_gradient(step: BackwardPass) -> tuple[Any, Gradients]:
    return step.dy * (step.dy > 0), {}


def _without_last_row(right: Callable[..., Array], params: Params, x: Array, ctx: Context) -> Array:
    return right(params, np.ascontiguousarray(x[:, :-1]), ctx)


def _gamma_of_one_image(
    right: Callable[..., Any], params: Params, cache: Any, dy: Array, ctx: Context
) -> tuple[Array, Gradients]:
    sums, _ = right(params, cache, dy, ctx)
    x, y, *statistics = cache
    one = (x[..., :1].copy(), None if y is None else y[..., :1].copy(), *statistics)
    _, gradients = right(params, one, dy[..., :1].copy(), ctx)
    return sums, gradients


def _mask_forgotten(right: Callable[..., Any], params: Params, cache: Any, *rest: Any) -> Any:
    x, _, *statistics = cache
    return right(params, (x, None, *statistics), *rest)


def _n_forgotten(
    right: Callable[..., Array], params: Params, cache: Any, dy: Array, sums: Array, ctx: Context
) -> Array:
    return right(params, cache, dy, 0 * sums, ctx)


def _reads_x(operation: Operation) -> bool:
    return operation.inputs != (INPUT,)


def _has_padding(operation: Operation) -> bool:
    window = operation.nodes[0].layer.window(operation.nodes[0].input_shapes[0])
    return window is not None and window.pad != ((0, 0), (0, 0))


def _in_strips(operation: Operation) -> bool:
    layer: Any = operation.layer
    return int(getattr(layer, "S", 0) or getattr(getattr(layer, "layer", None), "S", 0)) > 1 and _has_padding(operation)


def _with_relu(operation: Operation) -> bool:
    return any(type(node.layer) is ReLU for node in operation.nodes[1:])


def _has_rows(operation: Operation) -> bool:
    return len(operation.nodes[0].input_shapes[0]) == 3 and operation.nodes[0].input_shapes[0][1] > 1


def _biased_relu(operation: Operation) -> bool:
    return _with_relu(operation) and has("b")(operation)


_CONVOLUTIONS = ("winograd", "quarters", "rows", "columns")
_PRODUCTS = (*_CONVOLUTIONS, "tiles")


def _winner(name: str, story: str, change: Callable[[Winners], Winners]) -> FastBug:
    return FastBug(f"fast-winners-{name}", story, ("pools", "pairs"), _winners(change))


FAST_BUGS = (
    FastBug(
        "fast-transform-entry",
        "an entry of Winograd's Aᵀ is 1/64 instead of 0",
        ("winograd",),
        forward=_transform_entry,
    ),
    FastBug("fast-last-tile", "the last tile's rows of y are left out", ("winograd",), forward=_last_tile),
    FastBug(
        "fast-neighbours",
        "a strip is convolved without its neighbours",
        ("winograd",),
        forward=_without_neighbours,
        shows=_in_strips,
    ),
    FastBug(
        "fast-strips-mixed-up",
        "y's strips stand in another order",
        ("winograd",),
        forward=_strips_mixed_up,
        shows=_in_strips,
    ),
    FastBug("fast-last-row", "the last row of y is left out", ("quarters", "rows", "columns"), forward=_last_row),
    FastBug(
        "fast-padding",
        "the edge pixels go on into the padding",
        _CONVOLUTIONS,
        forward=_edge_for_padding,
        shows=_has_padding,
    ),
    FastBug("fast-bias-lost", "b is not added", _CONVOLUTIONS, forward=_with_bias(0), shows=has("b")),
    FastBug("fast-bias-doubled", "b is added twice", _CONVOLUTIONS, forward=_with_bias(2), shows=has("b")),
    FastBug(
        "fast-bias-after-relu",
        "b is added after the ReLU, not before",
        _CONVOLUTIONS,
        forward=_bias_after_relu,
        shows=_biased_relu,
    ),
    FastBug(
        "fast-relu-forgotten",
        "the ReLU that is done along is left out",
        _CONVOLUTIONS,
        forward=lambda s: s.after(s.z, without=ReLU),
        shows=_with_relu,
    ),
    FastBug(
        "fast-relu-unmasked", "what the ReLU cut off gets gradient, too", _CONVOLUTIONS, _unmasked, shows=_with_relu
    ),
    FastBug(
        "fast-dX-unflipped",
        "dX with the weights as they are, not turned by 180°",
        _CONVOLUTIONS,
        _unflipped,
        shows=_reads_x,
    ),
    FastBug("fast-dX-zero", "dX is never written", _PRODUCTS, on_dx(lambda _, dx: np.zeros_like(dx)), shows=_reads_x),
    FastBug(
        "fast-dX-columns-swapped",
        "even and odd columns of dX are mixed up",
        ("rows",),
        _dx_map(_columns_swapped),
        shows=_reads_x,
    ),
    FastBug("fast-dW-scaled", "dW times −3", _PRODUCTS, on_gradient("W", lambda _, dW: -3 * dW)),
    FastBug(
        "fast-dW-slightly",
        "dW 1.00003 times what it should be",
        _PRODUCTS,
        on_gradient("W", lambda _, dW: 1.00003 * dW),
    ),
    FastBug("fast-dW-flipped", "dW turned by 180°", _CONVOLUTIONS, on_gradient("W", lambda _, dW: dW[..., ::-1, ::-1])),
    FastBug("fast-dW-summands", "dW adds up the first half of the images alone", _PRODUCTS, _first_half_of_images),
    FastBug("fast-db-doubled", "db is added twice", _PRODUCTS, on_gradient("b", lambda _, db: 2 * db), shows=has("b")),
    FastBug("fast-db-zero", "db is never written", _PRODUCTS, on_gradient("b", lambda _, db: 0 * db), shows=has("b")),
    FastBug("fast-quarters-mixed-up", "dW from the windows of the other columns", ("quarters",), _other_quarter),
    _winner("left-right", "the gradient goes to the other column of the window", lambda w: w._replace(left=~w.left)),
    _winner("top-bottom", "the gradient goes to the other row of the window", lambda w: w._replace(top=~w.top)),
    _winner("all-left", "the left column of the window always wins", lambda w: w._replace(left=np.ones_like(w.left))),
    FastBug("fast-dX-doubled", "dX is added twice", ("pairs", "places"), on_dx(lambda _, dx: 2 * dx)),
    FastBug("fast-mask-of-gradient", "the mask is taken from the upstream gradient", ("in place",), _mask_of_gradient),
    FastBug(
        "fast-statistics",
        "the last row of each image is left out of μ and σ",
        ("blocks",),
        methods={"statistics": _without_last_row},
        shows=_has_rows,
    ),
    FastBug(
        "fast-dgamma",
        "dγ of the first image alone",
        ("blocks",),
        methods={"gradient_statistics": _gamma_of_one_image},
    ),
    FastBug(
        "fast-norm-unmasked",
        "what the ReLU after it cut off gets gradient, too",
        ("blocks",),
        methods={"gradient_statistics": _mask_forgotten, "apply_gradient": _mask_forgotten},
        shows=_with_relu,
    ),
    FastBug(
        "fast-sums",
        "dX without the terms of the mean and the variance",
        ("blocks",),
        methods={"apply_gradient": _n_forgotten},
    ),
)
