"""The engine: a batch on processes or threads, and on ranks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from cnnbp.engine.batch import Inference, MicroBatch, StepResult
from cnnbp.engine.fork import CAN_FORK
from cnnbp.engine.free_list import FreeList
from cnnbp.engine.machine import BUFFER, one_blas_thread
from cnnbp.engine.ranks import ALONE, Ranks, Sharing
from cnnbp.engine.tree import Division
from cnnbp.engine.worker import Result, Work, Worker
from cnnbp.fast import Planner, plan_for
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Observer

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from cnnbp.engine.team import Team


class Engine:
    """Runs batches through a network. A context manager: inside it BLAS has one thread, which keeps the bits.

    Several micro-batches are done by a team of `threads` processes, formed when there is the first such batch. Where
    that cannot be, is not wanted, or MPI has started several already, they are done on as many threads.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        *,
        threads: int | None = None,
        seed: int = 0,
        ranks: Ranks = ALONE,
        processes: bool = CAN_FORK,
        planner: Planner = plan_for,
    ) -> None:
        """`planner` is `plan_for`, which makes it fast, or `as_written`."""
        self.network, self.loss, self.ranks = network, loss, ranks
        self.threads = threads or ranks.cores
        self._resources = ExitStack()
        self._worker = _ThreadedWorker(network, loss, seed, ranks, self.threads, planner)
        self._team: Team | None = None
        self._may_fork = processes and self.threads > 1 and ranks is ALONE
        self._forks = False  # until it is entered: its exit ends what it starts

    def __enter__(self) -> Self:
        self._resources.enter_context(one_blas_thread())
        self._resources.callback(self._worker.close)
        self._resources.callback(self._dismiss)
        self._forks = self._may_fork
        self._resources.callback(setattr, self, "_forks", False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def step(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], step: int = 0) -> StepResult:
        """Run one training batch forward and backward; `step` keys its random streams.

        Each rank gives its run of the micro-batches, and all get the result of the whole batch. The next step writes
        over its gradient.
        """
        return self._do(Worker.step, params, state, batch, step)

    def infer(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch]) -> Inference:
        """Run images through the network as it is used after training: running statistics, no dropout.

        Each rank gives its run of the micro-batches, and all get all results.
        """
        return self._do(Worker.infer, params, state, batch)

    def observe(
        self,
        observer: Observer,
        params: Parameters,
        state: Tensors,
        batch: Sequence[MicroBatch],
        step: int,
        planner: Planner | None = None,
    ) -> StepResult:
        """Run a whole training batch on this process alone, and show an observer each operation of each micro-batch.

        The result has the bits of `step`, unless another planner is asked for.
        """
        with _small_buffers():
            return self._alone(observer, planner).step(params, state, batch, _division(ALONE, batch), step)

    def observe_inference(
        self,
        observer: Observer,
        params: Parameters,
        state: Tensors,
        batch: Sequence[MicroBatch],
        planner: Planner | None = None,
    ) -> Inference:
        """Do the same as `infer` does."""
        with _small_buffers():
            return self._alone(observer, planner).infer(params, state, batch, _division(ALONE, batch))

    def _alone(self, observer: Observer, planner: Planner | None) -> Worker:
        like = self._worker
        return Worker(self.network, self.loss, like.seed, ALONE, FreeList(), planner or like.planner, observer)

    def _do(
        self, work: Callable[..., Result], params: Parameters, state: Tensors, batch: Sequence[MicroBatch], *key: int
    ) -> Result:
        """Do a batch's work, a method of Worker, with the team or without."""
        try:
            with _small_buffers():
                if team := self._team_for(params, batch):
                    return team.do(work, params, state, batch, *key)
                return work(self._worker, params, state, batch, _division(self.ranks, batch), *key)
        except BaseException:
            self._dismiss()
            raise

    def _team_for(self, params: Parameters, batch: Sequence[MicroBatch]) -> "Team | None":
        """Return the team, formed where it is needed; None where the batch is not for one."""
        if not self._forks or len(batch) == 1:
            return None
        if not self._team or not self._team.suits(params, batch):
            self._dismiss()
            from cnnbp.engine.team import Team  # which loads multiprocessing

            try:
                self._team = Team(self._worker, min(self.threads, len(batch)), params, batch)
            except OSError:  # no memory to share or no further process: threads need neither
                self._forks = False
        return self._team

    def _dismiss(self) -> None:
        if self._team:
            self._team.close()
            self._team = None


@contextmanager
def _small_buffers() -> Iterator[None]:
    before = np.setbufsize(BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


def _division(sharing: Sharing, batch: Sequence[MicroBatch]) -> Division:
    return Division.of(sharing, len(batch), sum(len(images.labels) for images in batch))


class _ThreadedWorker(Worker):
    """Runs micro-batches on threads."""

    def __init__(self, network: Network, loss: Loss, seed: int, ranks: Ranks, threads: int, planner: Planner) -> None:
        super().__init__(network, loss, seed, ranks, FreeList(), planner)
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
        """Apply the function to each piece, on threads where there are several; results in the order of the pieces."""
        if len(work) <= 1 or self._threads == 1:
            return super().map(function, work)
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # which loads logging, and few commands need it

            self._pool = ThreadPoolExecutor(self._threads, "cnnbp", np.setbufsize, (BUFFER,))
        return list(self._pool.map(function, work))

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()
            self._pool = None
