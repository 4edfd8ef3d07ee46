"""Work on background threads, in order and never too far ahead. Pillow lets go of the interpreter while it decodes."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2  # results that wait beyond one for each thread
_CHUNK = 32  # items per task: what a thread does between two steps of the progress bar
_SLOW = 0.5e-3  # seconds: an image whose decoding takes longer is worth a thread


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


def in_chunks(run: Callable[[range], None], total: int, threads: int) -> Generator[int, None, None]:
    """Call `run` with chunks of range(total), the first one first, and yield how many items are done.

    Threads join in where the first chunk was slow: small images are mostly Python, which threads only hold up.
    """
    chunks = [range(start, min(start + _CHUNK, total)) for start in range(0, total, _CHUNK)]
    if not chunks:
        return
    clock = perf_counter()
    run(chunks[0])
    worth_a_thread = perf_counter() - clock > _SLOW * len(chunks[0])
    yield chunks[0].stop
    with ThreadPoolExecutor(threads) as pool:
        try:
            for chunk, _ in zip(chunks[1:], (pool.map if worth_a_thread else map)(run, chunks[1:]), strict=True):
                yield chunk.stop
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
