"""What is said of the step that training would take, held to the network as it is written."""

from typing import TYPE_CHECKING, Any

from cnnbp.report.console import printable
from cnnbp.report.document import plain

if TYPE_CHECKING:
    from cnnbp.gradcheck.as_trained import AsTrained  # training draws this, too, and starts without the checker


def describe_as_trained(found: "AsTrained") -> str:
    """Say how far the worst tensor is, and what was compared."""
    worst, training = found.worst, found.training
    whole, compared = (training.micro_batches, training.micro_batch), found.compared
    far = f"within {worst.units:.1f} of {worst.allowed:.0f} roundings" if found.verdict == "pass" else "wrong"
    few = "" if compared == whole else f", end to end {compared[0]} × {compared[1]}"
    return f"{far} ({printable(str(worst))}); {whole[0]} × {whole[1]} images{few}"


def as_trained_document(found: "AsTrained | None") -> dict[str, Any] | None:
    """Return the step as training takes it for `--json`; None where it was not compared."""
    if found is None:
        return None
    count, size = found.compared
    return {
        "verdict": found.verdict,
        "blame": found.blame,
        "hint": found.hint,
        "batch": found.training.batch,
        "micro_batch": found.training.micro_batch,
        "micro_batches": found.training.micro_batches,
        "compared": {"micro_batch": size, "micro_batches": count},
        "kernels": found.kernels,
        "worst": plain(found.worst),
        "operations": plain(found.operations),
        "step": plain(found.step),
        "seconds": found.seconds,
    }
