"""A single step: does everything fit together?"""

from dataclasses import dataclass
from time import perf_counter

from cnnbp.training.gradients import TensorStep
from cnnbp.training.job import Job
from cnnbp.training.loop import learning_rate
from cnnbp.training.state import TrainingState
from cnnbp.training.step import take_step


@dataclass(frozen=True)
class DryRun:
    """What the first step came to."""

    images: int
    loss: float
    lr: float
    seconds: float
    tensors: tuple[TensorStep, ...]


def dry_run(job: Job) -> DryRun:
    """Take the first step of a run. Raises TrainingDiverged."""
    state = TrainingState.initial(job.config)
    batch = next(job.batches(0))
    lr = learning_rate(job, 0, [])
    started = perf_counter()
    loss = take_step(job, state, batch, lr, watched=True)
    return DryRun(len(batch.indices), loss, lr, perf_counter() - started, state.last_step)
