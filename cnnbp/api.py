"""The Python interface: what the verbs do, as functions of arrays and configurations.

Arrays have the batch as their last axis: images are (C, H, W, M), labels (M,).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbp import config as configuration
from cnnbp.arrays import Array
from cnnbp.config import Config
from cnnbp.engine import available_cores
from cnnbp.gradcheck import GradcheckReport, Training, check_network
from cnnbp.inspect.images import random_images
from cnnbp.inspect.record import Model, record_batch
from cnnbp.network import INPUT
from cnnbp.parameters import Parameters, Tensors
from cnnbp.training import loop
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import EpochEvent
from cnnbp.training.state import EpochMetrics, TrainingState


@dataclass(frozen=True, eq=False)
class Backpropagation:
    """One batch, forward and backward, in float64.

    `values` and `value_gradients` are each layer's output (…, M) and the loss's gradient by it, under the layer's
    name; `input` stands for the images. `gradient` holds ∂L/∂θ: `gradient["conv1"]["W"]`. `losses` (M,) are the
    images' own, `loss` is their mean.
    """

    loss: float
    losses: Array
    values: Mapping[str, Array]
    value_gradients: Mapping[str, Array]
    gradient: Parameters


@dataclass(frozen=True, eq=False)
class Epoch:
    """An epoch that is over, and copies of what training has come to. Pass the parameters on to `backpropagate`."""

    metrics: EpochMetrics
    parameters: Parameters
    running_statistics: Tensors


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file, with overrides as on the command line. Raises ConfigError with every problem at its place.

    Python files that it imports are run.

    >>> config = load_config("configs/lecture.yaml", ["train.epochs=2"])
    >>> config.train.epochs
    2
    >>> [(node.name, node.output_shape) for node in config.network.nodes][:2]
    [('conv1', (1, 4, 4)), ('relu1', (1, 4, 4))]
    """
    return configuration.load_config(Path(path), overrides, may_import=True)


def train(config: Config, *, threads: int | None = None) -> Iterator[Epoch]:
    """Train on the configuration's image folder, and yield each epoch as it ends. Nothing is written.

    Raises ConfigError and DataError for what cannot be trained on, Diverged for a NaN or an infinity. The numbers do
    not depend on `threads`, by default the cores that this process may use.

    >>> config = load_config("configs/lecture.yaml", ["train.epochs=2"])
    >>> [epoch.metrics.epoch for epoch in train(config)]
    [1, 2]
    """
    threads = threads or available_cores()
    job, state = Job.of(config, load_datasets(config, threads=threads), threads=threads), TrainingState.initial(config)
    with job.engine:
        for event in loop.train(job, state):
            if isinstance(event, EpochEvent):
                yield Epoch(event.metrics, state.parameters.copy(), state.running_statistics)


def backpropagate(config: Config, x: Array, labels: Array, parameters: Parameters | None = None) -> Backpropagation:
    """Run images x (C, H, W, M) of classes `labels` (M,) forward and backward, with dropout off.

    Without `parameters` they are those that training would start with. Batch norm uses the batch's own statistics.

    >>> import numpy as np
    >>> config = load_config("configs/lecture.yaml")
    >>> batch = backpropagate(config, np.ones((1, 6, 6, 3)), np.array([0, 1, 1]))
    >>> batch.values["conv1"].shape, batch.gradient["conv1"]["W"].shape
    ((1, 4, 4, 3), (1, 1, 3, 3))
    """
    network = config.network
    labels = np.asarray(labels)
    loss = config.loss.balanced(np.bincount(labels, minlength=max(2, network.output_shape[0])).tolist())
    model = Model(network, loss, parameters or network.initial_parameters(config.seed), network.initial_state())
    record = record_batch(model, x, labels)
    places = {"input": INPUT, **{node.name: node.index for node in network.nodes}}
    values, gradients = record.tape.values, record.tape.gradients
    return Backpropagation(
        record.loss,
        record.losses,
        {name: values[place] for name, place in places.items()},
        {name: gradients[place] for name, place in places.items()},
        record.gradient,
    )


def check_gradients(
    config: Config, parameters: Parameters | None = None, *, images: int = 3, entries: int | None = None
) -> GradcheckReport:
    """Compare every layer's and the network's analytic gradients with numeric ones, on a seeded random batch.

    At most `entries` of each tensor are checked, None: what takes a second or two.

    >>> check_gradients(load_config("configs/lecture.yaml")).verdict
    'pass'
    """
    network, batch = config.network, random_images(config, images)
    return check_network(
        network,
        config.loss.balanced(batch.class_counts),
        parameters or network.initial_parameters(config.seed),
        network.initial_state(),
        batch.x,
        batch.labels,
        entries=entries,
        training=Training.of(network, config.train.batch_size),
        seed=config.seed,
    )
