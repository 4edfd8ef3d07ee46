"""Damaged files by the hundred thousand, in processes that may crash or hang; exit 1 if any does anything but refuse.

python -m tests.fuzz images|configs|checkpoints [--cases N] [--first N] [--seed S] [--processes N]
python -m tests.fuzz images --seed S --show CASE > file        the file of one case

A file that is damaged must be read or refused with an error of cnnbp's own: no other exception, no crash, no more than
five seconds of work, no gigabyte of memory, and not a word on stderr.
"""

import argparse
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.worker import LONGEST, Finding, Progress, content_of, target, work

KINDS = ("images", "configs", "checkpoints")
PATIENCE = 60.0  # seconds for one file that is not worked on, but waited for; by looks, as a machine may sleep
LARGEST = 1 << 30  # bytes for one process
_LOOK = 0.2  # seconds between two looks at a worker


@dataclass
class Tally:
    """What came of all cases."""

    done: int = 0
    accepted: int = 0
    slowest: float = 0.0
    peak: int = 0
    hangs: int = 0
    crashes: int = 0
    tracebacks: int = 0


def fuzz(kind: str, seed: int, cases: range, processes: int) -> int:
    """Run the cases and print what was found; return how many went wrong."""
    context, tally = multiprocessing.get_context("spawn"), Tally()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        queue = context.Queue()
        workers = [
            _Worker(context, kind, seed, cases[number::processes], folder, queue, tally) for number in range(processes)
        ]
        while sum(worker.look() for worker in workers):
            time.sleep(_LOOK)
            _print_findings(_drained(queue), tally)
        _print_findings(_drained(queue), tally)
        noise = [line for file in Path(folder).glob("noise-*") for line in file.read_bytes().splitlines()]
    _print_tally(kind, seed, cases, tally, time.monotonic() - started, noise)
    return tally.hangs + tally.crashes + tally.tracebacks + len(noise) + (tally.peak > LARGEST)


class _Worker:
    """A process and what is left for it; one that hangs or crashes is replaced by a new one behind that case."""

    def __init__(self, context, kind, seed, cases, folder, queue, tally) -> None:
        self.context, self.arguments, self.rest = context, (kind, seed), cases
        self.folder, self.queue, self.tally = folder, queue, tally
        self._start()

    def look(self) -> bool:
        """Tell whether there is more to do."""
        if self.process is None:
            return False
        if self.process.is_alive():
            self._looks = self._looks + 1 if self.progress.case == self._case else 0
            self._case = self.progress.case
            if self._looks * _LOOK < PATIENCE:
                return True
            self.process.kill()
            self._replace_hanging(f"more than {PATIENCE:g} seconds")
        elif self.process.exitcode == -signal.SIGPROF:
            self._replace_hanging(f"more than {LONGEST:g} seconds of work")
        elif self.process.exitcode:
            self.tally.crashes += 1
            self._replace(f"the process ended with {self.process.exitcode}")
        else:
            self._end()
        return self.process is not None

    def _replace_hanging(self, reason: str) -> None:
        self.tally.hangs += 1
        self._replace(reason)

    def _replace(self, reason: str) -> None:
        case = self.progress.case
        print(f"case {case}: {reason}", flush=True)
        self._end()
        if case >= 0:  # else it did not even start
            self.rest = range(case + self.rest.step, self.rest.stop, self.rest.step)
            self._start()

    def _start(self) -> None:
        self.progress = self.context.Value(Progress, -1, lock=False)
        self._case, self._looks = -1, 0
        arguments = (*self.arguments, self.rest, self.folder, self.progress, self.queue)
        self.process = self.context.Process(target=work, args=arguments)
        self.process.start()

    def _end(self) -> None:
        self.process.join()
        self.process = None
        self.tally.done += self.progress.done
        self.tally.accepted += self.progress.accepted
        self.tally.slowest = max(self.tally.slowest, self.progress.slowest)
        self.tally.peak = max(self.tally.peak, self.progress.peak)


def _drained(queue) -> Iterator[Finding]:
    while not queue.empty():
        yield queue.get()


def _print_findings(findings: Iterator[Finding], tally: Tally) -> None:
    for finding in findings:
        tally.tracebacks += finding.what.startswith("Traceback")
        print(f"case {finding.case}: {finding.what}", flush=True)


def _print_tally(kind: str, seed: int, cases: range, tally: Tally, seconds: float, noise: list[bytes]) -> None:
    print(
        f"{kind}, seed {seed}, cases {cases.start} to {cases.stop - 1}: {tally.done} files in {seconds:.0f} s, "
        f"{tally.accepted} of them good enough to read; {tally.tracebacks} tracebacks, {tally.crashes} crashes, "
        f"{tally.hangs} hangs over {LONGEST:g} s (most work {tally.slowest:.2f} s), "
        f"peak memory {tally.peak / 2**20:.0f} MiB, {len(noise)} lines on stderr"
    )
    for line in noise[:20]:
        print("  ", line.decode(errors="replace"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="|".join(KINDS))
    parser.add_argument("--cases", type=int, default=10_000, help="how many files of each kind")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", type=int, metavar="CASE", help="write the file of a case to stdout")
    wanted = parser.parse_args()
    if unknown := set(wanted.kinds) - set(KINDS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if wanted.show is not None:
        [kind] = wanted.kinds
        sys.stdout.buffer.write(content_of(kind, wanted.seed, wanted.show, target(kind).seeds()))
        return 0
    cases = range(wanted.first, wanted.first + wanted.cases)
    return int(sum(fuzz(kind, wanted.seed, cases, wanted.processes) for kind in wanted.kinds or KINDS) > 0)


if __name__ == "__main__":
    sys.exit(main())
