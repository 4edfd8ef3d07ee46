"""Are the gradients right? Analytic against numeric ones, with the guilty layer named."""

from cnnbp.gradcheck.check import check_network
from cnnbp.gradcheck.results import GradcheckReport, LayerResult, TensorResult, WorstEntry

__all__ = ["GradcheckReport", "LayerResult", "TensorResult", "WorstEntry", "check_network"]
