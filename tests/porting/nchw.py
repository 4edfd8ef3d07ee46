"""The network of configs/digits.yaml with the batch first, forward and backward, written anew in plain NumPy."""

import numpy as np


def digits(x, y, params):
    """Return every value and gradient by the name that a reference gives it; x is (M, 1, 8, 8), y (M,)."""
    M = len(x)
    v = {"conv1": convolved(x, params["conv1.W"], params["conv1.b"])}
    v["relu1"] = np.maximum(v["conv1"], 0)
    v["maxpool2d1"], first = pooled(v["relu1"])
    v["conv2"] = convolved(v["maxpool2d1"], params["conv2.W"], params["conv2.b"])
    v["relu2"] = np.maximum(v["conv2"], 0)
    v["flatten1"] = v["relu2"].reshape(M, -1)
    v["dense1"] = v["flatten1"] @ params["dense1.W"].T + params["dense1.b"]
    p = np.exp(v["dense1"]) / np.exp(v["dense1"]).sum(axis=1, keepdims=True)
    losses = -np.log(p[np.arange(M), y])
    g = {"dense1": (p - np.eye(10)[y]) / M}
    g["dense1.W"], g["dense1.b"] = g["dense1"].T @ v["flatten1"], g["dense1"].sum(axis=0)
    g["flatten1"] = g["dense1"] @ params["dense1.W"]
    g["relu2"] = g["flatten1"].reshape(v["relu2"].shape)
    g["conv2"] = g["relu2"] * (v["conv2"] > 0)
    g["maxpool2d1"], g["conv2.W"], g["conv2.b"] = back(v["maxpool2d1"], params["conv2.W"], g["conv2"])
    g["relu1"] = (first * g["maxpool2d1"][:, :, :, None, :, None]).reshape(v["relu1"].shape)
    g["conv1"] = g["relu1"] * (v["conv1"] > 0)
    g["X"], g["conv1.W"], g["conv1.b"] = back(x, params["conv1.W"], g["conv1"])
    shares = {f"image_grad/dense1.{name}": share for name, share in dense_shares(g["dense1"], v["flatten1"]).items()}
    for name, read in (("conv1", x), ("conv2", v["maxpool2d1"])):
        each = [back(read[m : m + 1], params[f"{name}.W"], g[name][m : m + 1]) for m in range(M)]
        shares |= {f"image_grad/{name}.W": np.stack([dW for _, dW, _ in each])}
        shares |= {f"image_grad/{name}.b": np.stack([db for _, _, db in each])}
    return {
        **{f"value/{name}": value for name, value in v.items()},
        **{f"grad/{name}": gradient for name, gradient in g.items()},
        **shares,
        "logits": v["dense1"],
        "losses": losses,
        "loss": losses.mean(),
    }


def windows(x):
    """Return each 3×3 window of x (M, C, H, W), zeros around it: (M, C, H, W, 3, 3)."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))


def convolved(x, W, b):
    return np.einsum("mchwij,fcij->mfhw", windows(x), W) + b[None, :, None, None]


def back(x, W, dy):
    """Return dx, dW and db of a convolution."""
    dx = np.einsum("mfhwij,fcij->mchw", windows(dy), W[..., ::-1, ::-1])
    return dx, np.einsum("mchwij,mfhw->fcij", windows(x), dy), dy.sum(axis=(0, 2, 3))


def pooled(x):
    """Return the maxima of 2×2 windows, and a mask (M, C, H/2, 2, W/2, 2) of the first one in each."""
    M, C, H, W = x.shape
    cut = x.reshape(M, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(M, C, H // 2, W // 2, 4)
    first = np.eye(4)[cut.argmax(axis=-1)].reshape(M, C, H // 2, W // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    return cut.max(axis=-1), first


def dense_shares(dz, f):
    return {"W": dz[:, :, None] * f[:, None, :], "b": dz}
