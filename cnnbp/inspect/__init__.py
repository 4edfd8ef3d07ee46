"""One batch under the microscope: every tensor that the chain rule touches, with its name, size and gradient."""

from cnnbp.inspect.examine import Images, Inspection, inspect_batch, is_small
from cnnbp.inspect.record import Model
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.inspect.symbols import Symbols, derive_symbols, slope

__all__ = [
    "Images",
    "Inspection",
    "Model",
    "ParameterStep",
    "Step",
    "Symbols",
    "derive_symbols",
    "inspect_batch",
    "is_small",
    "slope",
]
