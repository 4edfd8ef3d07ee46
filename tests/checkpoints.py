"""Checkpoints of untrained networks, for what reads a trained one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnbp.arrays import Shape
from cnnbp.config import Config
from cnnbp.data.normalize import Normalization
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.known import KnownImages
from cnnbp.training.state import TrainingState


def checkpoint_of(
    input_shape: Shape,
    layers: Sequence[Any],
    loss: Any = "cross_entropy",
    *,
    classes: Sequence[str] = ("no", "yes"),
    normalize: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Checkpoint:
    """Return a checkpoint whose biases, γ, β and running statistics are all away from 0 and 1."""
    channels, height, width = input_shape
    config = Config.model_validate(
        {
            "seed": seed,
            "input": {"channels": channels, "height": height, "width": width},
            "layers": list(layers),
            "loss": loss,
        }
    )
    state, rng = TrainingState.initial(config), np.random.default_rng(seed)
    free = config.network.decays() == 0
    state.parameters.vector[free] += 0.3 * rng.normal(size=free.sum()).astype(np.float32)
    for statistics in state.running_statistics.values():
        statistics["running_mean"][:] = 0.3 * rng.normal(size=statistics["running_mean"].shape)
        statistics["running_var"][:] = rng.uniform(0.5, 2, size=statistics["running_var"].shape)
    normalization = Normalization.uniform(channels, **(normalize or {}))
    known = KnownImages(*rng.integers(0, 1 << 63, (2, 5), np.uint64), np.array([0, 0, 0, 1, 2], np.uint8))
    return Checkpoint(config, tuple(classes), normalization, "", state, known=known)


def undecidable_checkpoint(outgoing: float = 1e4) -> Checkpoint:
    """Return one whose gradients before tanh have two digits or less: 1 − tanh² ≈ 1e-13 is a difference of ones.

    The weights behind tanh are `outgoing` and so large that what is left is not called zero; they cancel in the logits.
    """
    checkpoint = checkpoint_of((1, 4, 5), ["flatten", {"dense": {"units": 4}}, "tanh", {"dense": {"units": 2}}])
    parameters = checkpoint.state.parameters
    parameters["dense1"]["W"][...] /= 100 * parameters["dense1"]["W"].std()
    parameters["dense1"]["b"][...] = 15.5
    parameters["dense2"]["W"][...] = outgoing * np.array([[1, -1, 1, -1], [-1, 1, -1, 1]])
    parameters["dense2"]["b"][...] = 0
    return checkpoint
