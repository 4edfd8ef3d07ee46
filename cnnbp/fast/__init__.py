"""All that makes a step fast. Each `Replacement` is the same as some layers as written, and is held to them by tests.

plan.py        which nodes of a network are done at once, and by what: `plan_for`, or `as_written`
choice.py      how that is decided, from shapes alone
operation.py   what a plan consists of, and what each part of it must equal

conv.py                      Conv2d
pooled_conv.py               Conv2d and a 2×2 MaxPool2d
quartered_conv.py            the same, for a network's small first convolution
strip_conv.py                Conv2d, with or without a 2×2 MaxPool2d, in float32
max_pool.py, relu.py, dense.py, batchnorm.py

kernels/       the arithmetic that they call
"""

from cnnbp.fast.operation import AsWritten, Operation, Replacement
from cnnbp.fast.plan import Plan, Planner, Segment, as_written, plan_for

__all__ = ["AsWritten", "Operation", "Plan", "Planner", "Replacement", "Segment", "as_written", "plan_for"]
