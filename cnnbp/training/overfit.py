"""The classic sanity check: a network that cannot learn a few images by heart has a bug."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnbp.config import Config, DataConfig
from cnnbp.schedules import Constant
from cnnbp.training.job import Job
from cnnbp.training.loop import EpochEvent, Event, train
from cnnbp.training.state import TrainingState

EPOCHS = 1000
GOAL = 0.01  # of the loss of equal probabilities


def overfit_config(config: Config) -> Config:
    """Return the configuration without all that keeps a network from learning by heart: augmentation, decay, …"""
    data = (config.data or DataConfig()).model_copy(update={"augment": ()})
    loss = config.loss
    if "label_smoothing" in type(loss).model_fields:
        loss = loss.model_copy(update={"label_smoothing": 0.0})
    optimizer = config.train.optimizer.model_copy(update={"weight_decay": 0.0})
    train = config.train.model_copy(
        update={"epochs": EPOCHS, "optimizer": optimizer, "schedule": Constant(), "early_stopping": None}
    )
    return config.model_copy(update={"data": data, "loss": loss, "train": train})


@dataclass(frozen=True)
class Overfit:
    """How well a few images were learned by heart, and what loss was to be reached."""

    images: int
    epochs: int
    loss: float
    accuracy: float
    goal: float

    @property
    def learned(self) -> bool:
        """Whether the loss is near enough to 0."""
        return self.loss <= self.goal


def overfit(job: Job, state: TrainingState) -> Iterator[Event]:
    """Train until the images are learned; `job` has them for validation as well, which is without dropout."""
    for event in train(job, state):
        yield event
        if isinstance(event, EpochEvent) and overfit_result(job, state).learned:
            return


def overfit_result(job: Job, state: TrainingState) -> Overfit:
    """Say how far it came."""
    last = state.history[-1]
    accuracy = last.train_accuracy if last.val_accuracy is None else last.val_accuracy
    goal = GOAL * job.chance_loss
    return Overfit(len(job.datasets.train), last.epoch, last.monitored_loss, accuracy, goal)
