"""Soak the checker of functions: no correct one may fail, and no wrong one pass. Exit 1 if one does.

python -m tests.gradcheck.foreign.soak [POINTS]
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from cnnbp.gradcheck import GradcheckReport, check_functions
from tests.gradcheck.foreign.people import PEOPLE, Written

POINTS = 12  # of each function
SIZES = (5, 50, 500, 5000)
UNSEEN = {("in float32", "a factor of 1 + 1e-6")}  # float32 has no such digit

Gradients = list[np.ndarray | None]
Mistake = Callable[[Gradients, Sequence[np.ndarray], np.random.Generator], Gradients]


def spoilt(gradients: Gradients, rng: np.random.Generator, spoil: Callable[[np.ndarray], np.ndarray]) -> Gradients:
    """Spoil one of the gradients that are not 0."""
    which = rng.choice([i for i, gradient in enumerate(gradients) if gradient is not None and np.any(gradient)])
    return [spoil(gradient) if i == which else gradient for i, gradient in enumerate(gradients)]


def one_wrong_entry(gradients: Gradients, arrays: Sequence[np.ndarray], rng: np.random.Generator) -> Gradients:
    def spoil(gradient: np.ndarray) -> np.ndarray:
        gradient, size = np.array(gradient, float), np.abs(gradient)
        entry = rng.choice(np.flatnonzero(size >= 0.1 * size.max()))
        gradient.reshape(-1)[entry] *= 2
        return gradient

    return spoilt(gradients, rng, spoil)


def one_wrong_channel(gradients: Gradients, arrays: Sequence[np.ndarray], rng: np.random.Generator) -> Gradients:
    """Spoil what belongs to one index of the first axis; of a vector a run of five."""

    def spoil(gradient: np.ndarray) -> np.ndarray:
        gradient = np.array(gradient, float)
        rows = gradient.reshape(len(gradient), -1) if gradient.ndim > 1 else _runs(gradient)
        size = np.abs(rows).max(axis=1)
        rows[rng.choice(np.flatnonzero(size >= 0.1 * size.max()))] *= 1.5
        return gradient

    return spoilt(gradients, rng, spoil)


def _runs(vector: np.ndarray) -> np.ndarray:
    return vector.reshape(-1, 5 if vector.size % 5 == 0 else 1)


def a_millionth(gradients: Gradients, arrays: Sequence[np.ndarray], rng: np.random.Generator) -> Gradients:
    return spoilt(gradients, rng, lambda gradient: gradient * (1 + 1e-6))


def missing_mean(gradients: Gradients, arrays: Sequence[np.ndarray], rng: np.random.Generator) -> Gradients:
    M = max(len(array) for array in arrays if array.ndim)
    return spoilt(gradients, rng, lambda gradient: gradient * M)


MISTAKES: dict[str, Mistake] = {
    "one wrong entry": one_wrong_entry,
    "one wrong channel": one_wrong_channel,
    "a factor of 1 + 1e-6": a_millionth,
    "a missing 1/M": missing_mean,
}


def arrays_at(written: Written, point: int) -> list[np.ndarray]:
    """Draw a function's arrays; at every third round of sizes rounded to halves, where it bears ties."""
    rng = np.random.default_rng([point, 1])
    arrays = [np.array(array) for array in written.draw(rng, SIZES[point % len(SIZES)])]
    tied = written.ties and point // len(SIZES) % 3 == 2
    return [np.round(2 * array) / 2 if tied and array.dtype.kind == "f" else array for array in arrays]


def right(written: Written, point: int) -> GradcheckReport:
    return check_functions(written.forward, written.backward, *arrays_at(written, point))


def wrong(written: Written, point: int, mistake: Mistake) -> GradcheckReport:
    arrays = arrays_at(written, point)

    def backward(dy: np.ndarray, cache: object) -> Gradients:
        returned = written.backward(dy, cache)
        gradients = list(returned) if isinstance(returned, tuple) else [returned]
        return mistake(gradients, arrays, np.random.default_rng([point, 2]))

    return check_functions(written.forward, backward, *arrays)


@dataclass
class Tally:
    """What came of checks that should all end alike."""

    checks: int = 0
    entries: int = 0
    unchecked: int = 0
    otherwise: list[str] = field(default_factory=list)

    def add(self, report: GradcheckReport, as_it_should: bool, what: str) -> None:
        self.checks += 1
        self.entries += report.checked
        self.unchecked += sum(tensor.unchecked for tensor in report.layers[0].tensors)
        if not as_it_should:
            self.otherwise.append(f"{what}: {report}")


def soak(points: Iterable[int], names: Iterable[str] = PEOPLE, mutants: int = 4) -> dict[str, Tally]:
    """Check functions as they are at each point, and with each mistake at the first few."""
    tallies = {"as written": Tally(), **{mistake: Tally() for mistake in MISTAKES}}
    points = list(points)
    for name in names:
        for point in points:
            report = right(PEOPLE[name], point)
            tallies["as written"].add(report, report.verdict == "pass", f"{name}, point {point}")
        for said, mistake in MISTAKES.items():
            for point in points[:mutants] if (name, said) not in UNSEEN else ():
                report = wrong(PEOPLE[name], point, mistake)
                tallies[said].add(report, report.verdict == "fail", f"{name}, {said}, point {point}")
    return tallies


def main() -> int:
    console, start = Console(width=110), perf_counter()
    tallies = soak(range(int(sys.argv[1]) if len(sys.argv) > 1 else POINTS))
    table = Table(f"{len(PEOPLE)} functions", "checks", "entries one by one", "unchecked", "passed", "did not pass")
    for said, tally in tallies.items():
        odd = len(tally.otherwise)
        failed, passed = (odd, tally.checks - odd) if said == "as written" else (tally.checks - odd, odd)
        table.add_row(said, *(f"{n:,}" for n in (tally.checks, tally.entries, tally.unchecked, passed, failed)))
    console.print(table)
    for tally in tallies.values():
        for what in tally.otherwise:
            console.print(what, markup=False, highlight=False)
    console.print(f"{perf_counter() - start:.0f} s", highlight=False)
    return int(any(tally.otherwise for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
