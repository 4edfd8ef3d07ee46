"""A planted bug beside the right numbers: what it changes, and an exercise that keeps which one it is."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.errors import ConfigError
from cnnbp.gradcheck.bugs import FittingBug, fitting_bugs, plant
from cnnbp.inspect.examine import Inspection
from cnnbp.inspect.record import Model, Record, record_batch
from cnnbp.inspect.step import ParameterStep
from cnnbp.inspect.steps import backward_steps
from cnnbp.network import INPUT
from cnnbp.page.nodes import statistics_tensors
from cnnbp.page.stations import is_gradient
from cnnbp.page.tensors import Tensor


@dataclass(frozen=True, eq=False)
class Planted:
    """A bug, the gradients with it by symbol, the bugs that it could have been, and whether the page tells."""

    bug: FittingBug
    gradients: dict[str, Tensor]
    candidates: Sequence[FittingBug]
    hidden: bool


def plant_random(inspection: Inspection, seed: int, *, hidden: bool) -> Planted:
    """Plant a bug that the seed draws of those that can be seen in the inspected batch."""
    model = inspection.record.model
    candidates = fitting_bugs(model.network, model.loss)
    for index in np.random.default_rng(seed).permutation(len(candidates)):
        planted = plant_in(inspection, candidates[index].spelling, hidden=hidden)
        if _is_seen(planted, inspection):
            return planted
    raise ConfigError("no bug shows in this batch: try other images or another --seed")


def _is_seen(planted: Planted, inspection: Inspection) -> bool:
    """Whether some gradient is off by more than a twentieth of its largest number."""
    return any(
        np.abs(planted.gradients[step.symbol].array - step.value).max() > 0.05 * np.abs(step.value).max()
        for step in inspection.backward
        if step.symbol in planted.gradients
    )


def plant_in(inspection: Inspection, spelling: str, *, hidden: bool) -> Planted:
    """Run the inspected batch again with a bug in one layer. Raises ConfigError for one that does not fit."""
    record = inspection.record
    model = record.model
    network, loss = plant(model.network, model.loss, spelling)
    broken = record_batch(Model(network, loss, model.params, model.state), record.tape.values[INPUT], record.labels)
    candidates = fitting_bugs(model.network, model.loss)
    bug = next(bug for bug in candidates if bug.spelling == spelling)
    return Planted(bug, _gradients(broken, inspection), candidates, hidden)


def _gradients(broken: Record, inspection: Inspection) -> dict[str, Tensor]:
    """Return ∂L/∂… of every station; those of the loss's own factors come from the formulas, not from the code."""
    gradients = {
        step.symbol: Tensor(step.value, batched=not isinstance(step, ParameterStep))
        for step in backward_steps(broken, inspection.symbols)
        if is_gradient(step.symbol)
    }
    for node in broken.model.network.nodes:
        if node.is_coupled:
            gradients |= statistics_tensors(node, broken, inspection.symbols)
    return gradients


def bug_document(planted: Planted) -> dict[str, Any]:
    """Return the bug for the page; a hidden one so that it is not read by chance."""
    layers: dict[str, list[dict[str, str]]] = {}
    for bug in planted.candidates:
        layers.setdefault(bug.layer, []).append({"bug": bug.bug, "story": bug.story})
    answer = f"{planted.bug.spelling}\n{planted.bug.story}"
    return {
        "hidden": planted.hidden,
        "answer": b64encode(answer.encode()).decode("ascii"),
        "candidates": [{"layer": layer, "bugs": bugs} for layer, bugs in layers.items()],
    }
