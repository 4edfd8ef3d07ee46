"""How the error of a difference depends on its step: the curve that the choice of h rests on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.numeric import RETRY_STEPS, Probe, step_size
from cnnbp.gradcheck.results import GradcheckReport, TensorResult
from cnnbp.gradcheck.workers import Workers

STEPS = 2.0 ** -np.arange(41.0)


@dataclass(frozen=True)
class StepCurve:
    """Errors of one entry's numeric derivative for steps h, central and with Richardson's extrapolation.

    `crossed` marks steps that meet a kink, `chosen` is the step that the check takes: the first of its choices that
    meets none. `off` is |analytic − exact|.
    """

    name: str
    index: tuple[int, ...]
    h: Array
    central: Array
    richardson: Array
    crossed: Array
    chosen: float
    off: float


def step_curve(name: str, tensor: TensorResult) -> StepCurve:
    """Try all steps at the worst entry of a tensor. Raises ValueError for a result without its finding."""
    if tensor.finding is None:
        raise ValueError(f"{name} was read from elsewhere: its entries are not at hand")
    claim, entry = tensor.finding.claim, np.array([np.ravel_multi_index(tensor.worst.index, tensor.shape)])
    shifts = np.stack([STEPS, -STEPS], axis=1)
    evaluated = [claim.parts(entry, pair[None], follow_branches, Arena()) for pair in shifts]
    slopes = np.array([(parts[:, 0, 0] - parts[:, 0, 1]).sum() for parts, _ in evaluated]) / (2 * STEPS)
    richardson = (4 * slopes[1:] - slopes[:-1]) / 3  # of h and h/2, where h is the first of the two
    with Workers(1) as workers:
        probe = Probe(claim, workers)
        exact = float(probe.complex_step(entry)[0]) if probe.is_complex_safe else tensor.worst.numeric
        first = 1.0 if probe.is_affine else step_size(claim.theta)
    crossed = np.array([bool(crossed[0]) for _, crossed in evaluated])
    tried = [min(first, limit) for limit in (first, *RETRY_STEPS)]
    return StepCurve(
        name=name,
        index=tensor.worst.index,
        h=STEPS,
        central=np.abs(slopes - exact),
        richardson=np.abs(np.append(richardson, np.nan) - exact),
        crossed=crossed,
        chosen=next((h for h in tried if not crossed[h == STEPS].any()), first),
        off=abs(tensor.worst.analytic - exact),
    )


def curved(report: GradcheckReport) -> tuple[str, TensorResult]:
    """Return the tensor whose curve tells most: a wrong one end to end, where nothing is affine; else any that is."""
    tensors = by_gravity(report)
    whole = [named for named in tensors if any(named[1] is tensor for tensor in report.tensors)]
    return next((named for named in whole if named[1].verdict == "fail"), (*whole, *tensors)[0])


def by_gravity(report: GradcheckReport) -> list[tuple[str, TensorResult]]:
    """Return every tensor by name, those that fail first and of these the guilty layers' own; then as they come."""
    gravity = {"fail": 0, "inconclusive": 1, "pass": 2}
    return sorted(_tensors(report), key=lambda named: gravity[named[1].verdict])


def _tensors(report: GradcheckReport) -> Iterator[tuple[str, TensorResult]]:
    for layer in report.layers:
        seen = set[str]()
        for tensor in layer.tensors if layer.verdict != "pass" or not report.tensors else ():
            yield f"{layer.name} d{tensor.name}{', integers' * (tensor.name in seen)}", tensor
            seen.add(tensor.name)
    for tensor in report.tensors:
        yield f"∂L/∂{tensor.name}", tensor
