"""One batch as a file, for whoever wants to check its gradients with another framework."""

from pathlib import Path

import numpy as np

from cnnbp.arrays import Array
from cnnbp.files import written_whole
from cnnbp.inspect.record import Record, dropout_masks
from cnnbp.network import INPUT


def record_arrays(record: Record) -> dict[str, Array]:
    """Return a batch's inputs, parameters and gradients by name, float64.

    X (C, H, W, M), y (M,), loss, param/<layer>.<name>, grad/<layer>.<name>, grad/X; where dropout is on also
    mask/<layer>, which is what it kept.
    """
    tape = record.tape
    masks = {f"mask/{record.model.network.nodes[index].name}": mask for index, mask in dropout_masks(tape).items()}
    return {
        "X": tape.values[INPUT],
        "y": record.labels,
        "loss": np.array(record.loss),
        **{f"param/{name}": array for name, array in tape.params.items()},
        **{f"grad/{name}": array for name, array in record.gradient.items()},
        "grad/X": tape.gradients[INPUT],
        **masks,
    }


def save_record(record: Record, path: Path) -> None:
    """Write `record_arrays` as an .npz, whole or not at all. Raises CheckpointError where that fails."""
    with written_whole(path) as file:
        np.savez(file, allow_pickle=False, **record_arrays(record))
