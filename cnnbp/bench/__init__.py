"""How fast a network trains: a whole step, its layers, and the same step in PyTorch."""

from cnnbp.bench.measure import run_bench
from cnnbp.bench.results import Bench, LayerTime, Opponent, StepTime, Variant

__all__ = ["Bench", "LayerTime", "Opponent", "StepTime", "Variant", "run_bench"]
