"""Are the gradients right? Analytic against numeric ones, with the guilty layer named.

The names below are imported when they are asked for: training looks at itself with no more than it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnbp.gradcheck.as_trained import AsTrained, Training
    from cnnbp.gradcheck.check import check_network
    from cnnbp.gradcheck.foreign.functions import check_functions
    from cnnbp.gradcheck.message import WrongGradientError
    from cnnbp.gradcheck.results import GradcheckReport, LayerResult, TensorResult, WorstEntry
    from cnnbp.gradcheck.standalone import check_layer

_HOMES = {
    "as_trained": ("AsTrained", "Training"),
    "check": ("check_network",),
    "foreign.functions": ("check_functions",),
    "message": ("WrongGradientError",),
    "results": ("GradcheckReport", "LayerResult", "TensorResult", "WorstEntry"),
    "standalone": ("check_layer",),
}

__all__ = [
    "AsTrained",
    "GradcheckReport",
    "LayerResult",
    "TensorResult",
    "Training",
    "WorstEntry",
    "WrongGradientError",
    "check_functions",
    "check_layer",
    "check_network",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
