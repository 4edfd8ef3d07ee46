"""Times of things that take turns, so that what slows the machine down for a while slows all of them."""

from collections.abc import Callable, Mapping
from time import perf_counter, sleep

Progress = Callable[[int, int], None]  # rounds done, rounds in all

ROUNDS = 8
_PAUSE = 0.01  # seconds until the threads of the one before have gone to sleep


def take_turns(
    contenders: Mapping[str, Callable[[], object]], seconds: float, progress: Progress
) -> dict[str, list[float]]:
    """Return the seconds of each call, by contender; all of it takes `seconds` or, where calls are long, more."""
    turn = seconds / ROUNDS / len(contenders)
    calls = {name: _calls_in(turn, call) for name, call in contenders.items()}
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for done in range(ROUNDS):
        progress(done, ROUNDS)
        for name in sorted(contenders, reverse=bool(done % 2)):
            sleep(_PAUSE)
            contenders[name]()  # finds its memory again
            measured[name] += [_seconds(contenders[name]) for _ in range(calls[name])]
    return measured


def _calls_in(turn: float, call: Callable[[], object]) -> int:
    call()  # the first one sets up
    return max(1, round(turn / min(_seconds(call) for _ in range(2))))


def _seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started
