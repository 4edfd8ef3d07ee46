"""The chain rule with its numbers, step by step, for a network that is small enough to be read."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Array, format_shape
from cnnbp.inspect.examine import Inspection
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.report.blocks import Block, beside, flow, number_format, number_rows
from cnnbp.report.formatting import format_number

_WIDEST = 100  # columns, however wide the terminal: the eye has to find the next line
_MOST_IMAGES = 8


def draw_derivation(inspection: Inspection, console: Console) -> None:
    """Print every number of the forward pass, the backward pass and the update; of maps, those of one image."""
    width = min(console.width, _WIDEST)
    drawing = _Drawing(inspection, width)
    console.print("The chain rule with numbers", style="bold underline")
    console.print(drawing.legend, width=width)
    for title, blocks in (
        ("Forward", drawing.forward()),
        ("Backward", drawing.backward()),
        ("One update", drawing.update()),
    ):
        console.print(f"\n{title}", style="bold")
        for row in flow(blocks, width):
            console.print()
            for line in row:
                console.print(line, soft_wrap=True)


class _Drawing:
    """Makes a block of each step."""

    def __init__(self, inspection: Inspection, width: int) -> None:
        self.inspection, self.width = inspection, width
        self.record = inspection.record
        self.m = inspection.images[0].index
        self.shown = min(len(inspection.images), _MOST_IMAGES)

    @property
    def legend(self) -> str:
        """How the numbers are to be read."""
        images = len(self.inspection.images)
        left_out = f", the first {self.shown} of {images}" if self.shown < images else ""
        return (
            f"Maps (X, Z1, …) are those of image {self.m + 1}, which has the largest loss. Matrices with an M have a"
            f" column for each image{left_out}. A plain 0 is exactly 0."
        )

    def forward(self) -> Iterator[Block]:
        """Yield the steps of the forward pass, before each the parameters that it needs."""
        for step in self.inspection.forward:
            for name, theta in self.record.model.params.of(step.layer).items():
                symbol = self.inspection.symbols.parameters[step.layer][name]
                yield [_heading(symbol, format_shape(theta.shape)), *_matrix(theta)]
            yield self._value(step)

    def backward(self) -> Iterator[Block]:
        """Yield the steps of the backward pass."""
        for step in self.inspection.backward:
            yield self._gradient(step) if isinstance(step, ParameterStep) else self._value(step)

    def update(self) -> Iterator[Block]:
        """Yield the parameters after one step of the optimizer."""
        for layer, tensors in self.inspection.update.params.tensors.items():
            for name, theta in tensors.items():
                symbol = self.inspection.symbols.parameters[layer][name]
                yield [_heading(f"{symbol} + Δ{symbol}", ""), *_matrix(theta)]

    def _value(self, step: Step) -> Block:
        """A value or its gradient: the maps of one image, or a column for each."""
        *shape, _ = step.value.shape
        maps = len(shape) == 3
        numbers = step.value[..., self.m] if maps else np.atleast_2d(step.value)[:, : self.shown]
        spec = number_format(step.value)
        lines = [_heading(step.symbol, format_shape(tuple(shape), "M")), Text(f"= {step.formula}")]
        if step.symbol == "L":
            lines.append(Text.assemble("= ", (format_number(self.record.loss), "bold"), ", the mean of"))
        return [*lines, *_matrix(numbers, spec)]

    def _gradient(self, step: ParameterStep) -> Block:
        """A parameter's gradient: the stack image by image, then its sum."""
        if step.images is None:
            heading = _heading(step.symbol, format_shape(step.value.shape))
            return [heading, Text(f"= Σₘ {step.formula}"), *_matrix(step.value)]
        heading = _heading(step.symbol, f"{format_shape(step.images.shape[:-1], 'M')}, then summed over M")
        spec = number_format(step.images)
        stack = [(f"m={m + 1}", step.images[..., m]) for m in range(self.shown)] + [("Σₘ", step.value)]
        summed = _added_up(stack, spec) if _is_row(step.value) else self._side_by_side(stack, spec)
        return [heading, Text(f"= Σₘ {step.formula}"), *summed]

    def _side_by_side(self, stack: list[tuple[str, Array]], spec: str) -> list[Text]:
        blocks = [[Text(title, style="dim"), *_matrix(matrix, spec)] for title, matrix in stack]
        rows = list(flow(blocks, self.width))
        return [line for row in rows for line in (*row, Text())][:-1]


def _added_up(stack: list[tuple[str, Array]], spec: str) -> list[Text]:
    """A row for each image, a line, and the sum, as one adds by hand."""
    rows = number_rows(np.concatenate([matrix.reshape(1, -1) for _, matrix in stack]), spec)
    lines = [Text.assemble((f"{title:<5}", "dim"), row) for (title, _), row in zip(stack, rows, strict=True)]
    return [*lines[:-1], Text("─" * lines[-1].cell_len, style="dim"), lines[-1]]


def _is_row(array: Array) -> bool:
    """Whether an array is written in one line: b, or the W of a single neuron."""
    return array.ndim == 1 or (array.ndim == 2 and len(array) == 1)


def _heading(symbol: str, shape: str) -> Text:
    return Text.assemble((symbol, "bold cyan"), "  ", (shape, "dim"))


def _matrix(array: Array, spec: str = "") -> list[Text]:
    """An array as a matrix; the maps (C, H, W) of an image and the kernels (F, C, H, W) of a filter side by side."""
    spec = spec or number_format(array)
    if array.ndim <= 2:
        return number_rows(np.atleast_2d(array), spec)
    return beside([number_rows(matrix, spec) for matrix in array.reshape(-1, *array.shape[-2:])])
