"""A configuration trained as it says."""

from cnnbp.config import Config
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import train
from cnnbp.training.state import TrainingState


def trained(config: Config) -> TrainingState:
    """Return the state behind the last epoch."""
    job, state = Job.of(config, load_datasets(config), threads=1), TrainingState.initial(config)
    with job.engine:
        for _ in train(job, state):
            pass
    return state
