"""What `cnnbp shapes` shows: each layer's shapes and costs, the way back, and the totals; and `--json`."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Shape, format_shape
from cnnbp.inspect.costs import LayerShapes, NetworkShapes
from cnnbp.inspect.memory import StepMemory
from cnnbp.inspect.symbols import slope
from cnnbp.layers import Window
from cnnbp.network import INPUT
from cnnbp.report.console import printable
from cnnbp.report.formatting import format_bytes, format_count
from cnnbp.report.tables import Column, print_table

Row = Sequence[str | Text]

_LEVEL = "│ "  # before the name of a layer, once for each residual block that it lies in


def draw_shapes(shapes: NetworkShapes, console: Console) -> None:
    """Print a row for each value from X to L, with what its layer costs."""
    rows: list[Row] = [
        ("", _bold("X"), "input", "", _with_batch(shapes.input_shape, shapes), *[""] * 7),
        *(_layer_row(layer, shapes) for layer in shapes.layers),
        *_loss_rows(shapes),
    ]
    per = "/batch" if shapes.batch else "/image"
    columns = [
        _column("", rows, 0, "right"),
        _column("", rows, 1),
        _column("layer", rows, 2),
        _column("type", rows, 3, weight=50),
        _column("output", rows, 4),
        _column("kernel/\nstride/pad", rows, 5, weight=70),
        _column("\nparameters", rows, 6, "right", weight=90),
        _column("MACs\n/image", rows, 7, "right", weight=80),
        _column("receptive\nfield", rows, 8, "right", weight=30),
        _column(f"activation\n{per}", rows, 9, "right", weight=60),
        _column(f"cache\n{per}", rows, 10, "right", weight=40),
        _column("trained\non", rows, 11, weight=25),
    ]
    print_table(console, columns)


def draw_backward(shapes: NetworkShapes, console: Console) -> None:
    """Print a row for each gradient from ∂L/∂A to ∂L/∂X, with the stack that a parameter's is the sum of."""
    rows = list(_backward_rows(shapes))
    columns = [
        _column("", rows, 0, "right"),
        _column("layer", rows, 1, weight=50),
        _column("gradient", rows, 2),
        _column("shape", rows, 3),
        _column("image by image", rows, 4),
    ]
    print_table(console, columns, "Backward: a parameter's gradient is the sum over the M slices of its stack")


def draw_totals(shapes: NetworkShapes, console: Console) -> None:
    """Print what the whole network costs."""
    lines = {
        "parameters": f"{shapes.parameter_count:,} ({format_bytes(4 * shapes.parameter_count)} in float32)",
        "MACs": f"{format_count(shapes.macs)} forward, {format_count(shapes.backward_macs)} backward, for one image",
        "memory": _kept(shapes.kept_bytes),
        "step": _step(shapes.step) if shapes.step else "--batch M measures the memory of a training step",
    }
    for name, line in lines.items():
        console.print(Text.assemble((f"{name:<12}", "bold"), line), soft_wrap=True)


def shapes_document(shapes: NetworkShapes) -> dict[str, Any]:
    """Return the shapes as JSON holds them: the batch axis only where it says so, null while M is not known.

    Memory is of one image, or of the batch where M is known; multiply-accumulates are always of one image.
    """
    totals = {
        "parameter_count": shapes.parameter_count,
        "macs": shapes.macs,
        "backward_macs": shapes.backward_macs,
        "kept_bytes": _times(shapes.batch, shapes.kept_bytes),
    }
    if shapes.step:
        totals |= {
            "peak_memory_bytes": shapes.step.peak_bytes,
            "micro_batch": shapes.step.micro_batch,
            "threads": shapes.step.threads,
        }
    return {
        "input": shapes.input_shape,
        "batch": shapes.batch,
        "layers": [_layer_document(layer, shapes.batch) for layer in shapes.layers],
        "loss": {"type": shapes.loss.type, "symbol": shapes.loss.symbol, "output_shape": shapes.loss.output_shape},
        "totals": totals,
    }


def _kept(kept: int | None) -> str:
    if kept is None:
        return "not measured: a forward pass would take too long; --batch M measures it all the same"
    return f"{format_bytes(kept)} for one image until backward; 0 B shares a row above"


def _bytes(batch: int | None, bytes_per_image: int | None) -> str:
    total = _times(batch, bytes_per_image)
    return "–" if total is None else format_bytes(total)


def _times(batch: int | None, bytes_per_image: int | None) -> int | None:
    return None if bytes_per_image is None else (batch or 1) * bytes_per_image


def _step(step: StepMemory) -> str:
    images, cores = _plural(step.batch, "image"), _plural(step.threads, "core")
    return f"{format_bytes(step.peak_bytes)} at its peak: {images} in micro-batches of {step.micro_batch}, {cores}"


def _layer_row(layer: LayerShapes, shapes: NetworkShapes) -> Row:
    return (
        str(layer.index),
        _bold(layer.symbol),
        _LEVEL * layer.depth + printable(layer.name) + _sources(layer),
        layer.type,
        _with_batch(layer.output_shape, shapes),
        _window(layer.window) if layer.window else "",
        f"{layer.parameter_count:,}" if layer.parameters else "",
        format_count(layer.macs) if layer.macs else "",
        format_shape(layer.receptive_field),
        _bytes(shapes.batch, layer.activation_bytes),
        _bytes(shapes.batch, layer.cache_bytes),
        printable(layer.kernel or ""),
    )


def _loss_rows(shapes: NetworkShapes) -> Iterator[Row]:
    loss = shapes.loss
    if loss.symbol:
        yield "", _bold(loss.symbol), "loss", loss.type, _with_batch(loss.output_shape, shapes), *[""] * 7
    yield "", _bold("L"), "" if loss.symbol else "loss", "" if loss.symbol else loss.type, "scalar", *[""] * 7


def _backward_rows(shapes: NetworkShapes) -> Iterator[Row]:
    if shapes.loss.symbol:
        yield "", "loss", _bold(slope(shapes.loss.symbol)), _with_batch(shapes.loss.output_shape, shapes), ""
    for layer in reversed(shapes.layers):
        name, shape = printable(layer.name), _with_batch(layer.output_shape, shapes)
        yield str(layer.index), name, _bold(slope(layer.symbol)), shape, ""
        for parameter in layer.parameters:
            stack = _with_batch(parameter.shape, shapes)
            yield "", "", slope(parameter.symbol), format_shape(parameter.shape), stack
    yield "", "input", _bold(slope("X")), _with_batch(shapes.input_shape, shapes), Text("training skips it", "dim")


def _sources(layer: LayerShapes) -> str:
    """Say what a layer reads where it is not simply the row above."""
    if layer.inputs == (layer.index - 1,):
        return ""
    return " ← " + ", ".join("X" if i == INPUT else str(i) for i in layer.inputs)


def _window(window: Window) -> str:
    """Write 3×3/1/1, uneven sides as 3×3/2×1/0+1×1, dilation as 3×3(2)/1/1."""
    vertical, horizontal = ("+".join(map(str, pad)) if pad[0] != pad[1] else str(pad[0]) for pad in window.pad)
    dilation = "" if window.dilation == (1, 1) else f"({_side_by_side(*map(str, window.dilation))})"
    stride = _side_by_side(*map(str, window.stride))
    return f"{format_shape(window.kernel)}{dilation}/{stride}/{_side_by_side(vertical, horizontal)}"


def _side_by_side(vertical: str, horizontal: str) -> str:
    return vertical if vertical == horizontal else f"{vertical}×{horizontal}"


def _column(
    header: str, rows: Sequence[Row], place: int, justify: Literal["left", "right"] = "left", weight: int = 100
) -> Column:
    return Column(header, [row[place] for row in rows], justify, weight)


def _with_batch(shape: Shape, shapes: NetworkShapes) -> str:
    return format_shape(shape, shapes.batch or "M")


def _bold(symbol: str) -> Text:
    return Text(symbol, style="bold")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _layer_document(layer: LayerShapes, batch: int | None) -> dict[str, Any]:
    parameters = {parameter.name: parameter.shape for parameter in layer.parameters}
    return {
        "index": layer.index,
        "name": layer.name,
        "type": layer.type,
        "symbol": layer.symbol,
        "inputs": layer.inputs,
        "output_shape": layer.output_shape,
        "window": layer.window,
        "parameters": parameters,
        "parameter_count": layer.parameter_count,
        "kernel": layer.kernel,
        "macs": layer.macs,
        "backward_macs": layer.backward_macs,
        "receptive_field": layer.receptive_field,
        "activation_bytes": _times(batch, layer.activation_bytes),
        "cache_bytes": _times(batch, layer.cache_bytes),
        "gradients": {
            **parameters,
            "output": [*layer.output_shape, batch],
            "per_image": {name: [*shape, batch] for name, shape in parameters.items()},
        },
    }
