"""The gradient check of a whole network."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.as_trained import Training, check_as_trained
from cnnbp.gradcheck.claims import Claim, LayerClaim
from cnnbp.gradcheck.comparison import Finding
from cnnbp.gradcheck.endtoend import NetworkCase, examined_network_case, network_case
from cnnbp.gradcheck.examination import Plan, brief_examinations, examinations, run_all
from cnnbp.gradcheck.explanation import layer_result, merged, traced
from cnnbp.gradcheck.layerwise import LayerCase, layer_cases, loss_cases
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.results import GradcheckReport, LayerResult, TensorResult, tensor_result
from cnnbp.gradcheck.selection import chosen_nodes
from cnnbp.gradcheck.single import compare_float32
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
    tensors: Sequence[str] = (),
    training: Training | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = lambda done, total: None,
) -> GradcheckReport:
    """Compare the analytic gradient of the mean loss over a batch with numeric ones, in float64.

    x is (C, H, W, M), labels (M,); with M < 3 a wrong 1/M may look right end to end. At most `entries` of each tensor
    are checked; None: what takes a second or two. `tensors` ("conv1.W", "X") leaves out all others, and the layers
    that they do not belong to. Dropout's masks are frozen, batch norm uses the batch's statistics and moves no running
    ones. Where the gradients are right, the step that `training` would take is compared with the network as it is
    written. Raises ConfigError for a tensor that the network does not have.
    """
    start = perf_counter()
    given = Point(network, loss, params, state, x, labels)
    point, nodes = given.astype(np.float64), chosen_nodes(network, tensors)
    with Workers(threads) as workers:
        cases = _cases(point, nodes, seed, workers)
        whole = _network_cases(point, seed, workers) if all(case.fits for case in cases) else []
        float32 = compare_float32(given, whole[0]) if whole else None
        claims = [[claim for claim in case.claims if not tensors or claim.name in tensors] for case in whole]
        alone = [claim for case in cases for claim in case.claims]
        planned = _plan(alone, claims, entries, seed)
        counter = _Counter(progress, sum(len(examination.entries) for examination in planned))
        findings = iter(run_all(planned, workers, counter.advance))
    layers = merged([_layer_result(case, findings) for case in cases])
    report = GradcheckReport(
        tensors=_tensor_results(islice(findings, len(claims[0]) if claims else 0)),
        layers=layers,
        problems=tuple(dict.fromkeys(problem for case in whole for problem in case.problems)),
        seconds=0,
        jittered=_tensor_results(findings),
        float32=float32,
    )
    if training and report.gradients_hold:
        as_trained = check_as_trained(given, training, seed=seed, threads=threads)
        report = replace(report, as_trained=as_trained.only(nodes) if tensors else as_trained)
    return traced(replace(report, seconds=perf_counter() - start), network)


def _network_cases(point: Point, seed: int, workers: Workers) -> list[NetworkCase]:
    """Return the network at its own point, where everything is looked at, and with biases, γ and β moved."""
    work = [(examined_network_case, point), (network_case, point.jittered(seed))]
    return list(workers.map(lambda piece, arena: piece[0](piece[1]), work))


def _plan(alone: Sequence[Claim], whole: Sequence[Sequence[LayerClaim]], entries: int | None, seed: int) -> list[Plan]:
    """Plan to check the layers alone and the network at its own point in full measure, and briefly elsewhere.

    Layers alone are checked with moved parameters anyway.
    """
    planned = examinations([*alone, *(whole[0] if whole else ())], entries, seed)
    for claims in whole[1:]:
        planned += brief_examinations(claims, seed)
    return planned


def _tensor_results(findings: Iterable[Finding]) -> tuple[TensorResult, ...]:
    return tuple(tensor_result(finding, finding.claim.name) for finding in findings)


def _cases(point: Point, nodes: Sequence[Node], seed: int, workers: Workers) -> list[LayerCase]:
    def cases_of(node: Node, arena: Arena) -> list[LayerCase]:
        return list(layer_cases(node, point.params.of(node.name), point.state, seed))

    cases = [case for cases in workers.map(cases_of, nodes) for case in cases]
    return [*cases, *loss_cases(point.loss, point.network.output_shape[0], seed)]


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
