"""Work on many images: beside the training on background threads, never too far ahead; before it on all cores."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection, wait
from time import perf_counter
from typing import Any, TypeVar

from cnnbp.engine.fork import CAN_FORK, LOST, Child, ended_if_not_all, fork, portable, received
from cnnbp.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2  # results that wait beyond one for each thread
_CHUNK = 32  # items per task: what is done between two steps of the progress bar
_SLOW = 0.2e-3  # seconds: images whose decoding takes longer are worth more cores


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Map on background threads, in order, with a bounded number of results waiting."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= threads + _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_chunks(
    function: Callable[[range], Result], total: int, threads: int, *, processes: bool = CAN_FORK
) -> Generator[tuple[range, Result], None, None]:
    """Yield chunks of range(total) and what the function makes of them: the first one first, then as they are done.

    Processes, or threads where there can be none or `processes` says no, join in where the first chunk was slow: of
    small images most of the work is to read them. What the function writes elsewhere is lost unless memory is shared.
    Raises DataError for a process that is no more.
    """
    chunks = [range(start, min(start + _CHUNK, total)) for start in range(0, total, _CHUNK)]
    if not chunks:
        return
    clock = perf_counter()
    first = function(chunks[0])
    quick = perf_counter() - clock < _SLOW * len(chunks[0])
    yield chunks[0], first
    if quick or threads == 1 or len(chunks) == 1:
        yield from ((chunk, function(chunk)) for chunk in chunks[1:])
    elif processes and (children := _forked(function, chunks[1:], threads)):
        yield from _results(children)
    else:
        yield from zip(chunks[1:], map_ahead(function, chunks[1:], threads), strict=True)


def _forked(function: Callable[[range], object], chunks: Sequence[range], size: int) -> list[Child]:
    """Let as many processes share the chunks; none where the system does not give them."""
    try:
        with ended_if_not_all() as children:
            for place in range(min(size, len(chunks))):
                children.append(fork(partial(_send_all, function, chunks[place::size])))
    except OSError:
        return []
    return children


def _results(children: Sequence[Child]) -> Iterator[tuple[range, Any]]:
    """Yield each chunk and its result as they come. Raises what a process raised."""
    busy = [child.pipe for child in children]
    try:
        while busy:
            for pipe in wait(busy):
                assert isinstance(pipe, Connection)
                answer = received(pipe)
                if answer is None:
                    busy.remove(pipe)
                else:
                    yield answer
    except EOFError as error:
        raise DataError(f"one of the processes that read the images {LOST}") from error
    finally:
        for child in children:
            child.end()


def _send_all(function: Callable[[range], object], chunks: Sequence[range], pipe: Connection) -> None:
    """Send each chunk with its result, and None at the end; or what went wrong."""
    try:
        for chunk in chunks:
            pipe.send((chunk, function(chunk)))
        pipe.send(None)
    except Exception as error:
        pipe.send(portable(error))
