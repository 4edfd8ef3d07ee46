"""Small jobs in this process: noise in two or three classes, and whatever network a test needs."""

from contextlib import contextmanager

from cnnbp.config import Config
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import EpochEvent, train
from cnnbp.training.state import TrainingState
from tests.data.images import noise, save

LAYERS = (
    {"conv2d": {"name": "conv1", "filters": 2, "kernel": 3}},
    "batchnorm",
    "relu",
    "flatten",
    "dropout",
    {"dense": {"name": "out", "units": 2}},
)


def config(folder, layers=LAYERS, *, side=4, loss="cross_entropy", data=None, seed=0, **train_options):
    """Return a configuration of grey images."""
    return Config.model_validate(
        {
            "seed": seed,
            "input": {"channels": 1, "height": side, "width": side},
            "data": {"path": str(folder), **(data or {})},
            "layers": list(layers),
            "loss": loss,
            "train": {"epochs": 2, "batch_size": 4, **train_options},
        }
    )


def images(folder, counts=(6, 6), side=4):
    """Write noise, `counts` of each class; return the folder."""
    for label, count in enumerate(counts):
        for number in range(count):
            save(folder / "abc"[label] / f"{number}.png", noise(side, side, seed=100 * label + number))
    return folder


@contextmanager
def working(config, threads=1):
    """Give the job of a configuration, ready for steps, and its first state."""
    job = Job.of(config, load_datasets(config), threads=threads)
    with job.engine:
        yield job, TrainingState.initial(config)


def trained(config, threads=1):
    """Train to the end; return the state and the epochs' events."""
    with working(config, threads) as (job, state):
        return state, [event for event in train(job, state) if isinstance(event, EpochEvent)]


def checkpoint(job, state):
    """Return the checkpoint of a state."""
    datasets = job.datasets
    counts = tuple(datasets.class_counts)
    return Checkpoint(job.config, datasets.classes, job.normalization, datasets.digest, state, counts, datasets.known)
