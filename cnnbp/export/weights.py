"""What every format carries: the arrays by name, and what someone who has only them still needs to know."""

import json

from cnnbp import __version__
from cnnbp.arrays import Array
from cnnbp.config import dump_config
from cnnbp.training.checkpoint import Checkpoint, without_paths


def weights(checkpoint: Checkpoint) -> dict[str, Array]:
    """Return every parameter and running statistic by name: conv1.W, batchnorm1.running_mean.

    All have the parameters' dtype: other tools' batch norms take no statistics of another one than their input's.
    """
    state = checkpoint.state
    dtype = state.parameters.vector.dtype
    arrays = dict(state.parameters.named())
    for layer, statistics in state.running_statistics.items():
        arrays |= {f"{layer}.{name}": array.astype(dtype) for name, array in statistics.items()}
    return arrays


def metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the classes, the mean and std of pixels in 0…1 by channel (JSON lists), and the configuration (YAML).

    All is Unicode: bytes of a class's name that are none become JSON's escapes \\udc80 to \\udcff.
    """
    return {
        "producer": f"cnnbp {__version__}",
        "classes": json.dumps(checkpoint.classes, ensure_ascii=False).encode("utf-8", "backslashreplace").decode(),
        "mean": json.dumps(checkpoint.normalization.mean),
        "std": json.dumps(checkpoint.normalization.std),
        "config": dump_config(without_paths(checkpoint.config)),
    }
