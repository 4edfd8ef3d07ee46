"""One batch under the microscope: every tensor that the chain rule touches, with its name, size and gradient."""

from cnnbp.inspect.symbols import Symbols, derive_symbols, slope

__all__ = ["Symbols", "derive_symbols", "slope"]
