"""The gradient check of a whole network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.endtoend import network_claims
from cnnbp.gradcheck.examination import Finding, examinations, run_all
from cnnbp.gradcheck.explanation import layer_result, merged, traced
from cnnbp.gradcheck.layerwise import LayerCase, layer_cases, loss_cases
from cnnbp.gradcheck.results import GradcheckReport, LayerResult, tensor_result
from cnnbp.gradcheck.workers import Workers
from cnnbp.losses import Loss
from cnnbp.network import Network, Node
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
    with Workers(threads) as workers:
        cases = _cases(network, loss, params, state, seed, workers)
        whole = network_claims(network, loss, params, state, x, labels)
        planned = examinations([*(claim for case in cases for claim in case.claims), *whole], entries, seed)
        counter = _Counter(progress, sum(len(examination.entries) for examination in planned))
        findings = iter(run_all(planned, workers, counter.advance))
    layers = merged([_layer_result(case, findings) for case in cases])
    tensors = [tensor_result(finding, finding.claim.name) for finding in findings]
    return traced(GradcheckReport(tuple(tensors), layers, (), perf_counter() - start), network)


def _cases(
    network: Network, loss: Loss, params: Parameters, state: Tensors, seed: int, workers: Workers
) -> list[LayerCase]:
    def cases_of(node: Node, arena: Arena) -> list[LayerCase]:
        return list(layer_cases(node, params[node.name], state, seed))

    cases = [case for cases in workers.map(cases_of, network.nodes) for case in cases]
    return [*cases, *loss_cases(loss, network.output_shape[0], seed)]


@dataclass
class _Counter:
    progress: Progress
    total: int
    done: int = 0

    def advance(self, entries: int) -> None:
        self.done += entries
        self.progress(self.done, self.total)


def _layer_result(case: LayerCase, findings: Iterator[Finding]) -> LayerResult:
    """Take as many findings as the layer has claims."""
    return layer_result(case, [next(findings) for _ in case.claims])
