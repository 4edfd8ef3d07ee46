"""What a run is given and does not change: configuration, images, normalisation and the engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cnnbp.arrays import Array
from cnnbp.config import Config
from cnnbp.data.batches import Batch, batches, epoch_order
from cnnbp.data.normalize import Normalization
from cnnbp.engine import Engine, micro_batch_size
from cnnbp.training.datasets import Datasets


@dataclass(frozen=True, eq=False)
class Job:
    """A training job. The engine is entered and left by whoever made it."""

    config: Config
    datasets: Datasets
    normalization: Normalization
    engine: Engine

    @property
    def batch_size(self) -> int:
        """Images per step."""
        return self.config.train.batch_size

    @cached_property
    def steps_per_epoch(self) -> int:
        """Steps that show every training image once."""
        return -(-len(self.datasets.train) // self.batch_size)

    @cached_property
    def decays(self) -> Array:
        """1 where weight decay applies, else 0 (N,)."""
        return self.config.network.decays()

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield an epoch's training batches from the `first` one on."""
        train, seed = self.datasets.train, self.config.seed
        order = epoch_order(len(train), seed, epoch)[first * self.batch_size :]
        return batches(
            train.images,
            train.indices[order],
            self.batch_size,
            micro_batch_size(self.config.network, self.batch_size),
            self.normalization,
            "float32",
            augmentations=self.config.data.augment if self.config.data else (),
            seed=seed,
            epoch=epoch,
            threads=self.engine.threads,
        )
