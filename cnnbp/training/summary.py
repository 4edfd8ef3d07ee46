"""What a run came to, in one small object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnbp.training.concerns import Concern
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.state import EpochMetrics, TrainingState, best_epoch

if TYPE_CHECKING:
    from cnnbp.gradcheck.as_trained import AsTrained  # loaded where training looks at itself

Status = Literal["finished", "stopped early", "interrupted"]


@dataclass(frozen=True)
class Evaluation:
    """The best checkpoint on a split that did not train it."""

    split: str
    images: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class OwnCheck:
    """What came of training's look at itself: how many roundings its worst tensor is away, of how many allowed."""

    verdict: str
    worst: str
    roundings: float
    allowed: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """A run in numbers. `seconds`, `concerns` and `check` are those of this process's part of the training."""

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
    check: OwnCheck | None = None


def summarize(
    job: Job,
    state: TrainingState,
    status: Status,
    *,
    run: str,
    seconds: float,
    evaluated: Measurement | None,
    concerns: Iterable[Concern],
    check: "AsTrained | None" = None,
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
        best=best_epoch(state.history, job.config.train.keep),
        evaluation=_evaluation(evaluated) if evaluated else None,
        concerns=tuple(concerns),
        imported=tuple(code.name for code in job.config.code),
        check=_own_check(check) if check else None,
    )


def _own_check(found: "AsTrained") -> OwnCheck:
    worst = found.worst
    return OwnCheck(found.verdict, str(worst), worst.units, worst.allowed, found.seconds)


def _evaluation(measurement: Measurement) -> Evaluation:
    subset = measurement.subset
    return Evaluation(subset.name, len(subset), measurement.loss, measurement.accuracy)
