"""Convolution by im2col: one column for each window, one product for the whole micro-batch. Serves every window.

With the windows of x as columns, cols (C·kH·kW, OH·OW·M), and the weights as W (F, C·kH·kW):

    y = W cols        dW = dy colsᵀ        dx = col2im(Wᵀ dy)

With groups, each product is a stack: a group's filters see a group's channels.
"""

from cnnbp.arrays import Array
from cnnbp.layers.base import Context, Window
from cnnbp.layers.products import multiply
from cnnbp.layers.windows import col2im, im2col


def correlate(W: Array, x: Array, window: Window, y: Array, ctx: Context) -> None:
    """Write the convolution of x (C, H, W, M) with W (F, C/groups, kH, kW) to y (F, OH, OW, M)."""
    G = len(x) // W.shape[1]
    with ctx.arena.scratch():
        cols = im2col(x, window, y.shape[1:3], ctx).reshape(G, W[0].size, -1)
        multiply(W.reshape(G, len(W) // G, -1), cols, y.reshape(G, len(W) // G, -1), ctx)


def gradients(W: Array, x: Array, dy: Array, window: Window, dx: Array | None, ctx: Context) -> Array:
    """Write ∂L/∂x to dx (C, H, W, M) where it is wanted; return ∂L/∂W."""
    G, F = len(x) // W.shape[1], len(W)
    dz = dy.reshape(G, F // G, -1)  # (G, F/G, OH·OW·M)
    with ctx.arena.scratch():
        cols = im2col(x, window, dy.shape[1:3], ctx)
        windows = cols.reshape(G, W[0].size, -1)  # (G, C/G·kH·kW, OH·OW·M)
        dW = (dz @ windows.transpose(0, 2, 1)).reshape(W.shape)
        if dx is not None:
            multiply(W.reshape(G, F // G, -1).transpose(0, 2, 1), dz, windows, ctx)  # over the windows
            dx[...] = col2im(cols, window, x.shape[:-1], ctx)
    return dW
