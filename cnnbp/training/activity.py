"""Which channels of a network still say anything: a ReLU that is 0 everywhere passes no gradient on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.data.batches import Batch
from cnnbp.engine import MicroBatch
from cnnbp.layers.activations import ReLU
from cnnbp.tape import Tape
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState


@dataclass(frozen=True)
class DeadChannels:
    """How many of a ReLU's channels are 0 at every place of every image of a batch."""

    layer: str
    dead: int
    channels: int
    images: int


@np.errstate(over="ignore", invalid="ignore")
def dead_channels(job: Job, state: TrainingState, batch: Batch) -> tuple[DeadChannels, ...]:
    """Run a batch as after training, and count each ReLU's dead channels; all ranks do their part of it."""
    nodes = [node for node in job.config.network.nodes if isinstance(node.layer, ReLU)]
    ends = np.cumsum([node.output_shape[0] for node in nodes], dtype=np.intp)
    alive = np.zeros((1, ends[-1] if nodes else 0), np.bool_)  # the channels of all nodes, one after the other
    for micro_batch in batch.micro_batches if nodes else ():
        alive |= np.concatenate(list(_alive(job, state, micro_batch)))
    ranks = job.engine.ranks
    found = np.split(ranks.gather(alive, [1] * ranks.size).any(axis=0), ends[:-1])
    return tuple(
        DeadChannels(node.name, int((~channels).sum()), channels.size, len(batch.indices))
        for node, channels in zip(nodes, found, strict=False)
    )


def _alive(job: Job, state: TrainingState, images: MicroBatch) -> Iterator[Array]:
    """Yield for each ReLU which of its channels (C,) are above 0 somewhere."""
    network = job.config.network
    tape = Tape(
        network, state.parameters, state.running_statistics, images.x, Arena(), training=False, keep_everything=True
    )
    tape.forward(network.nodes)
    for node in network.nodes:
        if isinstance(node.layer, ReLU):
            y = tape.values[node.index]
            yield np.any(y > 0, axis=tuple(range(1, y.ndim)))
