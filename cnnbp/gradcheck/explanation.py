"""From findings to what is wrong: each layer on its own, then what its mistake does to the gradients before it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.comparison import Finding
from cnnbp.gradcheck.diagnosis import layer_hint
from cnnbp.gradcheck.examination import closer
from cnnbp.gradcheck.layerwise import LayerCase
from cnnbp.gradcheck.results import COMES_THROUGH, LOSS, GradcheckReport, LayerResult, TensorResult, tensor_result
from cnnbp.network import INPUT, Network, Node


def layer_result(case: LayerCase, findings: Iterable[Finding]) -> LayerResult:
    """Return what was found about a layer on one input, after a closer look at what is wrong, and why it is."""
    seen = [closer(finding) if isinstance(finding.claim, LayerClaim) else finding for finding in findings]
    tensors = tuple(tensor_result(finding, finding.claim.name.rpartition(".")[2]) for finding in seen)
    hint = next(iter(case.problems), None)
    if (case.trial or not case.problems) and any(tensor.verdict == "fail" for tensor in tensors):
        hint = layer_hint(case.trial, {f"d{tensor.name}": tensor.pattern for tensor in tensors})
    hint = hint or next((f"d{tensor.name}: {tensor.hint}" for tensor in tensors if tensor.hint), None)
    failed = [f"d{tensor.name}" for tensor in tensors if tensor.verdict == "fail"]
    if case.where and (hint or failed):
        hint = f"{case.where} {hint or ' and '.join(failed) + ' is wrong'}"
    return LayerResult(case.name, case.type, tensors, case.problems, hint)


def merged(results: Iterable[LayerResult]) -> tuple[LayerResult, ...]:
    """Put what was found about one layer on different inputs together."""
    layers: dict[str, LayerResult] = {}
    for result in results:
        before = layers.get(result.name, LayerResult(result.name, result.type, ()))
        problems = tuple(dict.fromkeys((*before.problems, *result.problems)))
        tensors = (*before.tensors, *result.tensors)
        layers[result.name] = LayerResult(result.name, result.type, tensors, problems, before.hint or result.hint)
    return tuple(layers.values())


def traced(report: GradcheckReport, network: Network) -> GradcheckReport:
    """Return the report in which a gradient that is wrong because it comes through a guilty layer says so."""
    tensors, jittered = (
        tuple(_traced(tensor, network, report.blame) for tensor in results)
        for results in (report.tensors, report.jittered)
    )
    return replace(report, tensors=tensors, jittered=jittered)


def _traced(tensor: TensorResult, network: Network, guilty: Sequence[str]) -> TensorResult:
    own = tensor.name.rpartition(".")[0]
    if tensor.verdict != "fail" or own in guilty:
        return tensor
    reached = {node.index for node in network.nodes if node.name == own} if own else {INPUT}
    through = [LOSS] if LOSS in guilty else []
    for node in reversed(network.nodes):
        through = [node.name, *through] if node.name in guilty and _reaches(network, reached, node) else through
    return replace(tensor, hint=f"{COMES_THROUGH} {', '.join(through)}") if through else tensor


def _reaches(network: Network, values: Iterable[int], target: Node) -> bool:
    reached = set(values)
    for node in network.nodes:
        if reached.intersection(node.inputs):
            reached.add(node.index)
    return target.index in reached
