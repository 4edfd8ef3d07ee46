"""Which channels of a network still say anything: a ReLU that is 0 everywhere passes no gradient on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
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


def dead_channels(job: Job, state: TrainingState, batch: tuple[MicroBatch, ...]) -> tuple[DeadChannels, ...]:
    """Run a batch as after training, and count each ReLU's dead channels."""
    names = [node.name for node in job.config.network.nodes if isinstance(node.layer, ReLU)]
    alive: dict[str, Array] = {}
    for micro_batch in batch if names else ():
        for name, channels in _alive(job, state, micro_batch):
            alive[name] = alive[name] | channels if name in alive else channels
    images = sum(len(micro_batch.labels) for micro_batch in batch)
    return tuple(DeadChannels(name, int((~alive[name]).sum()), alive[name].size, images) for name in names)


def _alive(job: Job, state: TrainingState, images: MicroBatch) -> Iterator[tuple[str, Array]]:
    """Yield each ReLU's name and which of its channels (C,) are above 0 somewhere."""
    network = job.config.network
    tape = Tape(network, state.parameters, state.running_statistics, images.x, Arena(), training=False)
    tape.forward(network.nodes)
    for node in network.nodes:
        if isinstance(node.layer, ReLU):  # nobody overwrites its output: its own backward reads it
            y = tape.values[node.index]
            yield node.name, np.any(y > 0, axis=tuple(range(1, y.ndim)))
