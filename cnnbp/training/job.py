"""What a run is given and does not change: configuration, images, normalisation and the engine."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from cnnbp.arrays import Array
from cnnbp.config import Config
from cnnbp.data.batches import Batch, batches, epoch_order, steps_for
from cnnbp.data.normalize import Normalization
from cnnbp.engine import Engine, micro_batch_size
from cnnbp.engine.ranks import ALONE, Ranks
from cnnbp.errors import ConfigError
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.training.datasets import Datasets, Subset
from cnnbp.training.loading import normalization
from cnnbp.training.measure import Measurement, inference_batches, measured, measuring
from cnnbp.training.state import TrainingState


@dataclass(frozen=True, eq=False)
class Job:
    """A training job. Its engine is a context manager, to be entered by whoever made the job."""

    config: Config
    datasets: Datasets
    normalization: Normalization
    engine: Engine

    @classmethod
    def of(cls, config: Config, datasets: Datasets, *, threads: int | None = None, ranks: Ranks = ALONE) -> "Job":
        """Return the job of a configuration and its images; class weights and normalisation are worked out here.

        Raises ConfigError for a batch in which a batch norm sees a single value of a channel.
        """
        _refuse_single_values(config, len(datasets.train))
        loss = config.loss.balanced(datasets.class_counts)
        engine = Engine(
            config.network, loss, threads=threads, seed=config.seed, ranks=ranks, planner=config.train.planner
        )
        return cls(config, datasets, normalization(config, datasets.train, ranks), engine)

    @property
    def batch_size(self) -> int:
        """Images per step."""
        return self.config.train.batch_size

    @cached_property
    def steps_per_epoch(self) -> int:
        """Steps that show every training image once."""
        return steps_for(len(self.datasets.train), self.batch_size)

    @property
    def whole_steps(self) -> int:
        """The last step of an epoch, counted from 1, whose batch is not smaller than others."""
        return max(len(self.datasets.train) // self.batch_size, 1)

    @property
    def last_batch(self) -> int:
        """The images of an epoch's last batch."""
        return len(self.datasets.train) - (self.steps_per_epoch - 1) * self.batch_size

    @cached_property
    def micro_batches(self) -> int:
        """Micro-batches per step: what ranks and threads divide among themselves."""
        return -(-self.batch_size // micro_batch_size(self.config.network, self.batch_size))

    @cached_property
    def decays(self) -> Array:
        """1 where weight decay applies, else 0 (N,)."""
        return self.config.network.decays()

    @cached_property
    def frozen(self) -> frozenset[str]:
        """The names of the layers that `train.freeze` leaves as they are."""
        return frozenset(node.name for node in self.config.network.parts(self.config.train.freeze))

    @cached_property
    def weights(self) -> frozenset[str]:
        """The names of the parameters that are trained and multiply, as conv1.W: those that weight decay applies to."""
        return frozenset(
            f"{node.name}.{name}"
            for node in self.config.network.nodes
            for name, spec in node.parameter_specs.items()
            if spec.decays and node.name not in self.frozen
        )

    @cached_property
    def chance_loss(self) -> float:
        """The training images' loss when all outputs are 0: for a classifier, all classes equally probable.

        ln(classes) for both cross-entropies, as long as the class weights have mean 1.
        """
        counts = self.datasets.class_counts
        logits = np.zeros((self.config.network.output_shape[0], len(counts)))  # one image of each class
        losses, _ = self.engine.loss.forward(logits, np.arange(len(counts)))
        return float(np.average(losses, weights=counts))

    def initial_loss(self, state: TrainingState) -> float:
        """Return the loss of the first batch before anything is learned."""
        batch = next(self.batches(0))
        result = self.engine.infer(state.parameters, state.running_statistics, batch.micro_batches)
        return float(result.losses.mean(dtype=np.float64))

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield an epoch's training batches from the `first` one on; epochs count from 0."""
        train, seed = self.datasets.train, self.config.seed
        start = first * self.batch_size if first < self.steps_per_epoch else len(train)
        order = epoch_order(len(train), seed, epoch)[start:]
        return batches(
            train.images,
            train.indices[order],
            self.batch_size,
            micro_batch_size(self.config.network, self.batch_size),
            self.normalization,
            np.float32,
            augmentations=self.config.data.augment if self.config.data else (),
            seed=seed,
            epoch=epoch,
            threads=self.engine.threads,
            ranks=self.engine.ranks,
        )

    def inference_batches(self, subset: Subset) -> Iterator[Batch]:
        """Yield some images in batches, not augmented."""
        return inference_batches(self.engine, subset, self.normalization, self.batch_size, np.float32)

    def measuring(self, state: TrainingState, subset: Subset) -> Generator[int, None, Measurement]:
        """Run images through the network of a state; yields how many are done and returns the measurement."""
        state = state.as_evaluated()
        return measuring(
            self.engine, state.parameters, state.running_statistics, subset, self.normalization, self.batch_size
        )

    def measure(self, state: TrainingState, subset: Subset, progress: Callable[[int], None]) -> Measurement:
        """Run images through the network of a state; `progress` is told how many are done."""
        return measured(self.measuring(state, subset), progress)


def _refuse_single_values(config: Config, images: int) -> None:
    """Raise ConfigError where a batch norm would make β of everything: one value is its own mean."""
    if min(config.train.batch_size, images) > 1:
        return
    for node in config.network.nodes:
        if isinstance(node.layer, BatchNorm) and prod(node.output_shape[1:]) == 1:
            why = "train.batch_size is 1" if images > 1 else "there is one image to train on"
            way_out = "set it to 2 or more" if images > 1 else "add images"
            raise ConfigError(
                f'{node.layer.type} "{node.name}" sees one value of each channel in a batch, because {why}: its output '
                f"is β whatever the image, and nothing before it learns; {way_out}, or take the layer out"
            )
