"""cnnbp's layers as torch.autograd.Functions: torch's checker then judges cnnbp's backward, bugs included."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from cnnbp.arrays import Array
from cnnbp.gradcheck.point import Point
from cnnbp.layers import Context
from cnnbp.network import INPUT, Node


class NodeFunction(Function):
    """One node: its parameters and inputs are tensors, the batch is their last axis as everywhere in cnnbp."""

    @staticmethod
    def forward(ctx: Any, node: Node, context: Context, *tensors: Tensor) -> Tensor:
        arrays = [tensor.detach().numpy() for tensor in tensors]
        names = list(node.parameter_specs)
        ctx.node, ctx.context, ctx.params = node, context, dict(zip(names, arrays, strict=False))
        xs = tuple(arrays[len(names) :])
        y, ctx.cache = node.layer.forward(ctx.params, xs[0] if len(xs) == 1 else xs, context)
        return torch.from_numpy(y.copy())

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        dx, gradients = ctx.node.layer.backward(ctx.params, ctx.cache, dy.numpy().copy(), ctx.context)
        dxs = dx if len(ctx.node.inputs) > 1 else (dx,)
        arrays = [*(gradients[name] for name in ctx.params), *dxs]
        return None, None, *(torch.from_numpy(array.copy()) for array in arrays)


class LossFunction(Function):
    """The mean loss."""

    @staticmethod
    def forward(ctx: Any, point: Point, logits: Tensor) -> Tensor:
        losses, cache = point.loss.forward(logits.detach().numpy(), point.labels)
        ctx.dlogits = point.loss.backward(cache, len(point.labels))
        return torch.tensor(losses.mean())

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return None, dy * torch.from_numpy(ctx.dlogits)


def wrapped(point: Point) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """Return the mean loss as a function of the images and every parameter, and these, in float64."""
    names = [(node, name) for node in point.network.nodes for name in node.parameter_specs]

    def loss(x: Tensor, *parameters: Tensor) -> Tensor:
        values = {INPUT: x}
        for node in point.network.nodes:
            own = [theta for (owner, _), theta in zip(names, parameters, strict=True) if owner is node]
            context = Context(training=True, state=point.state.get(node.name, {}), stream=(0, 0, node.index, 0))
            inputs = [values[i] for i in node.inputs]
            values[node.index] = NodeFunction.apply(node, context, *own, *inputs)
        return LossFunction.apply(point, values[point.network.nodes[-1].index])

    thetas: list[Array] = [point.x, *(array for _, array in point.params.named())]
    return loss, [torch.tensor(theta, requires_grad=True) for theta in thetas]
