"""One batch → micro-batches on processes or threads → one gradient, the same bits every time.

The unit of work is a micro-batch: it runs forward and backward on one core, with one BLAS thread, in an arena of
its own. Their number follows from the network and the batch alone, and their gradients are added in a fixed binary
tree, so the result has the same bits on any number of cores (of one CPU type, with one BLAS build).

Batch norm needs the whole batch: the network is cut before each such node into segments, and every segment runs over
all micro-batches before the next one starts. Nothing waits inside a segment.

    engine.py    what other packages call; threads, where no processes can be forked
    worker.py    one process's share: its micro-batches, segment by segment, and batch norm's statistics
    ranks.py     how processes share a batch: alone, in a team (team.py, shared_memory.py), under MPI (mpi.py)
    tree.py      the order of all sums
"""

from cnnbp.engine.batch import Inference, MicroBatch, StepResult, micro_batch_size, values_in_use
from cnnbp.engine.engine import Engine
from cnnbp.engine.machine import available_cores, one_blas_thread
from cnnbp.engine.tree import tree_sum

__all__ = [
    "Engine",
    "Inference",
    "MicroBatch",
    "StepResult",
    "available_cores",
    "micro_batch_size",
    "one_blas_thread",
    "tree_sum",
    "values_in_use",
]
