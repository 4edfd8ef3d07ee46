"""The chain rule with its numbers, step by step: all of them for a small network, or what is chosen."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Array, format_shape
from cnnbp.inspect.examine import Inspection
from cnnbp.inspect.kinks import winners
from cnnbp.inspect.path import paths
from cnnbp.inspect.selection import Selection
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.inspect.symbols import slope
from cnnbp.report.blocks import Block, beside, flow, number_format, number_rows
from cnnbp.report.excerpts import excerpt, excerpt_rows
from cnnbp.report.formatting import format_number
from cnnbp.report.paths import path_lines

_WIDEST = 100  # columns, however wide the terminal: the eye has to find the next line
_MOST_IMAGES, _MOST_MAPS = 8, 2


def draw_derivation(inspection: Inspection, selection: Selection, console: Console) -> None:
    """Print the chosen numbers of the forward pass, the backward pass and the update; of maps, those of one image."""
    width = min(console.width, _WIDEST)
    drawing = _Drawing(inspection, selection, width)
    console.print("The chain rule with numbers", style="bold underline")
    console.print(drawing.legend, width=width)
    _draw_blocks("Forward", drawing.forward(), width, console)
    _draw_blocks("Backward", drawing.backward(), width, console)
    _draw_paths(inspection, selection, width, console)
    update = inspection.update
    title = f"One update: {update.formula}, η = {format_number(update.optimizer.lr)}, g = ∂L/∂θ"
    _draw_blocks(title, drawing.update(), width, console)


def _draw_blocks(title: str, blocks: Iterator[Block], width: int, console: Console) -> None:
    rows = list(flow(blocks, width))
    if rows:
        console.print(f"\n{title}", style="bold")
    for row in rows:
        console.print()
        for line in row:
            console.print(line, soft_wrap=True)


def _draw_paths(inspection: Inspection, selection: Selection, width: int, console: Console) -> None:
    """Print the product of the path to each weight, with the shape of every factor."""
    model = inspection.record.model
    found = {
        symbol: path
        for symbol, path in paths(model.network, model.loss, inspection.symbols).items()
        if slope(symbol) in selection.symbols and symbol.startswith("W")
    }
    if found:
        console.print("\nThe product of the path, with the shape of each factor for one image", style="bold")
    for symbol, path in found.items():
        console.print()
        for line in path_lines(f"{slope(symbol)} = ", path, width):
            console.print(line, soft_wrap=True)


class _Drawing:
    """Makes a block of each step."""

    def __init__(self, inspection: Inspection, selection: Selection, width: int) -> None:
        self.inspection, self.selection, self.width = inspection, selection, width
        self.record = inspection.record
        self.m = selection.image
        self.images = _shown_images(len(inspection.images), self.m)
        self.winners = winners(self.record)

    @property
    def legend(self) -> str:
        """How the numbers are to be read."""
        largest = ", which has the largest loss" if self.m == self.inspection.images[0].index else ""
        marked = " * marks the largest number of a window." if self.winners else ""
        return (
            f"Maps (X, Z1, …) are those of image {self.m + 1}{largest}. Matrices with an M have a column for each"
            f" image. A plain 0 is exactly 0.{marked}"
        )

    def forward(self) -> Iterator[Block]:
        """Yield the steps of the forward pass, before each the parameters that it needs."""
        for step in self.inspection.forward:
            for name, theta in self.record.model.params.of(step.layer).items():
                symbol = self.inspection.symbols.parameters[step.layer][name]
                if symbol in self.selection.symbols:
                    yield [_heading(symbol, format_shape(theta.shape)), *self._matrix(theta)]
            if step.symbol in self.selection.symbols:
                yield self._value(step)

    def backward(self) -> Iterator[Block]:
        """Yield the steps of the backward pass."""
        for step in self.inspection.backward:
            if step.symbol in self.selection.symbols:
                yield self._gradient(step) if isinstance(step, ParameterStep) else self._value(step)

    def update(self) -> Iterator[Block]:
        """Yield what one step of the optimizer adds to the parameters, and what they are then."""
        before = self.record.tape.params
        for layer, tensors in self.inspection.update.params.tensors.items():
            for name, theta in tensors.items():
                symbol = self.inspection.symbols.parameters[layer][name]
                if slope(symbol) in self.selection.symbols:
                    yield [_heading(f"Δ{symbol}", ""), *self._matrix(theta - before[layer][name])]
                    yield [_heading(f"{symbol} + Δ{symbol}", ""), *self._matrix(theta)]

    def _value(self, step: Step) -> Block:
        """A value or its gradient: the maps of one image, or a column for each."""
        *shape, images = step.value.shape
        lines = [_heading(step.symbol, format_shape(tuple(shape), "M")), Text(f"= {step.formula}")]
        if step.symbol == "L":
            lines.append(Text.assemble("= ", (format_number(self.record.loss), "bold"), ", the mean of"))
        spec = number_format(step.value)
        if len(shape) == 3:
            marks = self.winners.get(step.symbol)
            return [*lines, *self._matrix(step.value[..., self.m], spec, None if marks is None else marks[..., self.m])]
        heads = [f"m={m + 1}" for m in self.images] if len(self.images) < images else []
        cut = excerpt(np.atleast_2d(step.value), self.width, self.images)
        return [*lines, *excerpt_rows(cut, spec, heads=heads)]

    def _gradient(self, step: ParameterStep) -> Block:
        """A parameter's gradient: the stack image by image, then its sum."""
        if step.images is None:
            heading = _heading(step.symbol, format_shape(step.value.shape))
            return [heading, Text(f"= Σₘ {step.formula}"), *self._matrix(step.value)]
        heading = _heading(step.symbol, f"{format_shape(step.images.shape[:-1], 'M')}, then summed over M")
        spec = number_format(step.images)
        stack = [(f"m={m + 1}", step.images[..., m]) for m in self.images]
        left = np.setdiff1d(np.arange(step.images.shape[-1]), self.images)
        if left.size:
            stack.append((f"and {left.size} more", step.images[..., left].sum(axis=-1)))
        stack.append(("Σₘ", step.value))
        summed = self._added_up(stack, spec) if _is_row(step.value) else self._side_by_side(stack, spec)
        return [heading, Text(f"= Σₘ {step.formula}"), *summed]

    def _side_by_side(self, stack: list[tuple[str, Array]], spec: str) -> list[Text]:
        blocks = [[Text(title, style="dim"), *self._matrix(matrix, spec)] for title, matrix in stack]
        rows = list(flow(blocks, self.width))
        return [line for row in rows for line in (*row, Text())][:-1]

    def _added_up(self, stack: list[tuple[str, Array]], spec: str) -> list[Text]:
        """A row for each image, a line, and the sum, as one adds by hand."""
        numbers = np.concatenate([matrix.reshape(1, -1) for _, matrix in stack])
        titles = max(5, *(len(title) + 2 for title, _ in stack))
        cut = excerpt(numbers, self._columns(numbers, spec, titles))
        rows, more = number_rows(cut.numbers, spec), cut.columns
        lines = [Text.assemble((f"{t:<{titles}}", "dim"), row) for (t, _), row in zip(stack, rows, strict=True)]
        note = [Text(f"last column: and {more} more, added up", style="dim")] if more else []
        return [*lines[:-1], Text("─" * lines[-1].cell_len, style="dim"), lines[-1], *note]

    def _matrix(self, array: Array, spec: str = "", marks: Array | None = None) -> list[Text]:
        """Write an array as a matrix; maps (C, H, W) of an image and kernels (F, C, H, W) of a filter side by side."""
        spec = spec or number_format(array)
        if array.ndim <= 2:
            matrix = np.atleast_2d(array)
            return excerpt_rows(excerpt(matrix, self._columns(matrix, spec)), spec)
        planes = array.reshape(-1, *array.shape[-2:])
        every = range(len(planes))
        shown = [*every] if len(planes) <= _MOST_MAPS else self._chosen(array)
        titled = len(planes) > _MOST_MAPS
        blocks = [self._plane(planes, k, spec, marks, _title(array, k) if titled else "") for k in shown]
        left = [k for k in every if k not in shown]
        if not left:
            return list(beside(blocks))
        matrices = "matrix" if len(left) == 1 else "matrices"
        more = f"and {len(left)} more {matrices}, adding up to {planes[left].sum():{spec}}"
        return [*beside(blocks), Text(more, style="dim")]

    def _chosen(self, array: Array) -> list[int]:
        """Of many maps the one that was asked for; of many filters the first kernels of that one."""
        if array.ndim == 3:
            return [min(self.selection.channel, len(array) - 1)]
        first = min(self.selection.channel, len(array) - 1) * array.shape[1]
        return [*range(first, first + min(array.shape[1], _MOST_MAPS))]

    def _plane(self, planes: Array, k: int, spec: str, marks: Array | None, title: str) -> list[Text]:
        cut = excerpt(planes[k], self._columns(planes[k], spec))
        own = marks.reshape(planes.shape)[k] if marks is not None and not (cut.rows or cut.columns) else None
        return [*([Text(title, style="dim")] if title else []), *excerpt_rows(cut, spec, own)]

    def _columns(self, matrix: Array, spec: str, taken: int = 0) -> int:
        """Return how many columns of a matrix fit beside each other."""
        widest = max(len(f"{value:{spec}}") for value in (float(matrix.min()), float(matrix.max())))
        return max(2, (self.width - taken + 2) // (widest + 3))


def _shown_images(count: int, chosen: int) -> list[int]:
    """Return the images that have a column: the first ones, and the one whose maps are shown."""
    if count <= _MOST_IMAGES:
        return [*range(count)]
    return [*range(_MOST_IMAGES)] if chosen < _MOST_IMAGES else [*range(_MOST_IMAGES - 1), chosen]


def _title(array: Array, k: int) -> str:
    """Say which of many maps (C, H, W) or kernels (F, C, H, W) one is, counted from 0."""
    if array.ndim == 3:
        return f"channel {k}"
    filter_, channel = divmod(k, array.shape[1])
    return f"filter {filter_}" + (f", channel {channel}" if array.shape[1] > 1 else "")


def _is_row(array: Array) -> bool:
    """Whether an array is written in one line: b, or the W of a single neuron."""
    return array.ndim == 1 or (array.ndim == 2 and len(array) == 1)


def _heading(symbol: str, shape: str) -> Text:
    return Text.assemble((symbol, "bold cyan"), "  ", (shape, "dim"))
