"""What a run came to, in one small object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cnnbp.training.concerns import Concern
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.state import EpochMetrics, TrainingState, best_epoch

Status = Literal["finished", "stopped early", "interrupted"]


@dataclass(frozen=True)
class Evaluation:
    """The best checkpoint on a split that did not train it."""

    split: str
    images: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Summary:
    """A run in numbers. `seconds` and `concerns` are those of this process's part of the training."""

    run: str
    status: Status
    classes: tuple[str, ...]
    images: Mapping[str, int]
    parameters: int
    epochs: int
    steps: int
    seconds: float
    last: EpochMetrics | None
    best: EpochMetrics | None
    evaluation: Evaluation | None
    concerns: tuple[Concern, ...]
    imported: tuple[str, ...]


def summarize(
    job: Job,
    state: TrainingState,
    status: Status,
    *,
    run: str,
    seconds: float,
    evaluated: Measurement | None,
    concerns: Iterable[Concern],
) -> Summary:
    """Sum a run up; `evaluated` is what the best checkpoint makes of images that did not train it."""
    return Summary(
        run=run,
        status=status,
        classes=job.datasets.classes,
        images={name: len(subset) for name, subset in job.datasets.splits.items()},
        parameters=job.config.network.layout.size,
        epochs=len(state.history),
        steps=state.step,
        seconds=seconds,
        last=state.history[-1] if state.history else None,
        best=best_epoch(state.history),
        evaluation=_evaluation(evaluated) if evaluated else None,
        concerns=tuple(concerns),
        imported=tuple(code.name for code in job.config.code),
    )


def _evaluation(measurement: Measurement) -> Evaluation:
    subset = measurement.subset
    return Evaluation(subset.name, len(subset), measurement.loss, measurement.accuracy)
