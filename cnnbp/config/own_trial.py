"""Imported layers, tried on two images before all others come: is what they return of the right kind and shape?"""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import format_shape
from cnnbp.config.models import Config
from cnnbp.config.own_layers import merged
from cnnbp.errors import ConfigError
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Params
from cnnbp.network import Node

IMAGES = 2


def require_own_layers_to_work(config: Config) -> None:
    """Run each imported layer of a network forward and backward. Raises ConfigError for the first that is wrong."""
    own = tuple(merged(config.code).values())
    for node in config.network.nodes:
        if own and isinstance(node.layer, own):
            problem = next(_problems(node, node.layer), None)
            if problem:
                raise ConfigError(f'{node.layer.type} "{node.name}": {problem}')


def _problems(node: Node, layer: Layer) -> Iterator[str]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*node.input_shapes[0], IMAGES)).astype(np.float32)
    params: Params = {
        name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in node.parameter_specs.items()
    }
    ctx = Context(training=True, state=layer.state(node.input_shapes[0]))
    y, cache = layer.forward(params, x, ctx)
    yield from _misfit("forward's y", y, (*node.output_shape, IMAGES))
    dx, gradients = layer.backward(params, cache, np.ones_like(y), ctx)
    yield from _misfit("backward's ∂L/∂x", dx, x.shape)
    if not isinstance(gradients, dict) or gradients.keys() != params.keys():
        got = ", ".join(map(str, gradients)) if isinstance(gradients, dict) else type(gradients).__name__
        yield f"backward gives gradients for {got or 'nothing'}, its parameters are {', '.join(params) or 'none'}"
        return
    for name, theta in params.items():
        yield from _misfit(f"backward's d{name}", gradients[name], theta.shape)


def _misfit(what: str, array: object, shape: tuple[int, ...]) -> Iterator[str]:
    if not isinstance(array, np.ndarray):
        yield f"{what} is {type(array).__name__}, it should be an array {format_shape(shape)}"
    elif array.shape != shape:
        yield f"{what} has shape {format_shape(array.shape)}, it should be {format_shape(shape)}"
    elif not np.issubdtype(array.dtype, np.floating):
        yield f"{what} is {array.dtype}, it should be of real numbers"
