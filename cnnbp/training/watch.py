"""Looking after a run: what it should begin with."""

import numpy as np

from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState


def initial_loss(job: Job, state: TrainingState) -> float:
    """Return the loss of the first batch before anything is learned."""
    batch = next(job.batches(0))
    result = job.engine.infer(state.parameters, state.running_statistics, batch.micro_batches)
    return float(result.losses.mean(dtype=np.float64))


def chance_loss(job: Job) -> float:
    """Return the training images' loss when all outputs are 0: for a classifier all classes equally probable.

    ln(classes) for both cross-entropies, as long as the class weights have mean 1.
    """
    labels = job.datasets.train.labels
    outputs = job.config.network.output_shape[0]
    losses, _ = job.engine.loss.forward(np.zeros((outputs, len(labels))), labels)
    return float(losses.mean())
