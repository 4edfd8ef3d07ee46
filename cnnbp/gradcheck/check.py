"""The gradient check of a whole network."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.endtoend import network_claims
from cnnbp.gradcheck.examination import Examination, examination
from cnnbp.gradcheck.layerwise import LayerCase, layer_cases, loss_cases
from cnnbp.gradcheck.results import GradcheckReport, LayerResult, TensorResult, tensor_result
from cnnbp.gradcheck.workers import Workers
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors

Progress = Callable[[int, int], None]  # entries done, entries in all


def check_network(
    network: Network,
    loss: Loss,
    params: Parameters,
    state: Tensors,
    x: Array,
    labels: Array,
    *,
    entries: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = lambda done, total: None,
) -> GradcheckReport:
    """Compare the analytic gradient of the mean loss over a batch with numeric ones, in float64.

    x is (C, H, W, M), labels (M,). At most `entries` of each tensor are checked; None: what takes a second or two.
    Dropout's masks are frozen, batch norm uses the batch's statistics and moves no running ones.
    """
    start = perf_counter()
    params, x = params.astype(np.float64), x.astype(np.float64)
    cases = [case for node in network.nodes for case in layer_cases(node, params[node.name], state, seed)]
    cases += loss_cases(loss, network.output_shape[0], seed)
    alone = [(case, [examination(claim, entries, seed) for claim in case.claims]) for case in cases]
    whole = [examination(claim, entries, seed) for claim in network_claims(network, loss, params, state, x, labels)]
    everything = [*whole, *(e for _, examinations in alone for e in examinations)]
    with Workers(threads) as workers:
        counter = _Counter(progress, sum(len(e.entries) for e in everything))
        layers = _merged([_layer_result(case, examinations, workers, counter) for case, examinations in alone])
        tensors = [tensor_result(e.run(workers, counter.advance), e.claim.name) for e in whole]
    return GradcheckReport(tuple(tensors), tuple(layers), (), perf_counter() - start)


@dataclass
class _Counter:
    progress: Progress
    total: int
    done: int = 0

    def advance(self, entries: int) -> None:
        self.done += entries
        self.progress(self.done, self.total)


def _layer_result(case: LayerCase, examinations: list[Examination], workers: Workers, counter: _Counter) -> LayerResult:
    tensors = [tensor_result(e.run(workers, counter.advance), e.claim.name.rpartition(".")[2]) for e in examinations]
    return LayerResult(case.name, case.type, tuple(tensors), case.problems)


def _merged(results: list[LayerResult]) -> list[LayerResult]:
    """Put what was found about one layer on different inputs together."""
    layers: dict[str, LayerResult] = {}
    for result in results:
        before = layers.get(result.name)
        tensors: tuple[TensorResult, ...] = (*before.tensors, *result.tensors) if before else result.tensors
        problems = (*before.problems, *result.problems) if before else result.problems
        layers[result.name] = LayerResult(result.name, result.type, tensors, tuple(dict.fromkeys(problems)))
    return list(layers.values())
