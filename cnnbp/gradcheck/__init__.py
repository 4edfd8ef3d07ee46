"""Are the gradients right? Analytic against numeric ones, with the guilty layer named."""

from cnnbp.gradcheck.check import check_network
from cnnbp.gradcheck.foreign.functions import check_functions
from cnnbp.gradcheck.message import WrongGradientError
from cnnbp.gradcheck.results import GradcheckReport, LayerResult, TensorResult, WorstEntry
from cnnbp.gradcheck.standalone import check_layer

__all__ = [
    "GradcheckReport",
    "LayerResult",
    "TensorResult",
    "WorstEntry",
    "WrongGradientError",
    "check_functions",
    "check_layer",
    "check_network",
]
