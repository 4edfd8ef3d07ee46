"""What the gradients of a batch say while a network trains."""

from dataclasses import dataclass

import numpy as np

from cnnbp.data.batches import epoch_order
from cnnbp.inspect.curvature import Curvature, curvature_is_quick, largest_curvature
from cnnbp.inspect.noise import Agreement, Noise, by_class, measure_shares, shares_are_quick
from cnnbp.inspect.record import Model, image_gradients, record_batch
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState


@dataclass(frozen=True)
class Glance:
    """What a batch's gradients say; None what would take long, and the noise of a single image."""

    noise: Noise | None
    agreement: Agreement | None
    curvature: Curvature | None


def glance(job: Job, state: TrainingState) -> Glance:
    """Look at one batch of the job's training images, not augmented and without dropout; `state` stays as it is."""
    train, config, network = job.datasets.train, job.config, job.config.network
    chosen = epoch_order(len(train), config.seed, state.epoch)[: job.batch_size]
    measures, bends = shares_are_quick(network, len(chosen)), curvature_is_quick(network, len(chosen))
    if not measures and not bends:
        return Glance(None, None, None)
    x = job.normalization.apply(train.images.take(train.indices[chosen]), np.float64)
    model = Model(network, job.engine.loss, state.parameters, state.running_statistics)
    record = record_batch(model, x, train.labels[chosen])
    curvature = largest_curvature(record, config.seed) if bends else None
    if not measures:
        return Glance(None, None, curvature)
    shares = measure_shares(record, image_gradients(record, by_class(record.labels)))
    return Glance(shares.noise, shares.agreement, curvature)
