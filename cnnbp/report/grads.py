"""What `cnnbp grads` shows: one batch tensor by tensor, parameter by parameter and image by image."""

from collections.abc import Sequence
from math import prod
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.arrays import format_shape
from cnnbp.inspect.examine import Inspection, is_small
from cnnbp.inspect.noise import Noise
from cnnbp.inspect.selection import Selection, choose_steps
from cnnbp.inspect.statistics import TensorStatistics
from cnnbp.layers.dropout import Dropout
from cnnbp.report.console import one_line
from cnnbp.report.derivation import draw_derivation
from cnnbp.report.formatting import format_number
from cnnbp.report.noise import draw_noise
from cnnbp.report.tables import Column, print_table

_MOST_IMAGES = 16
_COUPLED = "Batch norm couples the images: each one's loss depends on all of them, by the statistics of this batch."
_THROUGH_STATISTICS = (
    "An image's gradient is that of its own loss, these statistics included. The noise scale takes images for"
    " independent, so that here it is an estimate."
)
_LONG = "would take long with this batch: a smaller --batch shows it, or --thorough."


def draw_grads(inspection: Inspection, selection: Selection | None, console: Console) -> None:
    """Print the batch, its tables, every number where they are few, and one update; of a selection its numbers."""
    if selection:
        draw_derivation(inspection, selection, console)
        return
    _draw_batch(inspection, console)
    _draw_images(inspection, console)
    _draw_chain("Forward", inspection.forward_chain, console)
    _draw_chain("Backward", inspection.backward_chain, console)
    _draw_parameters(inspection, console)
    _draw_kinks(inspection, console)
    console.print()
    if is_small(inspection.record.model.network):
        draw_derivation(inspection, choose_steps(inspection), console)
    else:
        console.print(_without_numbers(inspection), style="dim")
    console.print()
    draw_noise(inspection.noise, inspection.agreement, inspection.curvature, console)
    if inspection.curvature is None:
        console.print(f"The largest curvature {_LONG}", style="dim")
    _draw_update(inspection, console)


def _without_numbers(inspection: Inspection) -> str:
    """Say why no numbers are shown, and how one gets to see them."""
    network = inspection.record.model.network
    values = sum(prod(node.output_shape) for node in network.nodes)
    weighted = next(node.name for node in reversed(network.nodes) if node.parameter_specs)
    symbol = inspection.symbols.parameters[weighted][next(iter(inspection.symbols.parameters[weighted]))]
    return (
        f"Its numbers are too many to be printed: {values:,} values of each image, {network.layout.size:,} parameters."
        f" Choose some with --layer {weighted} or --only d{symbol}, with --image and --filter; `cnnbp page` shows all."
    )


def _draw_batch(inspection: Inspection, console: Console) -> None:
    batch, record = inspection.batch, inspection.record
    right = sum(image.label == image.prediction for image in inspection.images)
    drops = any(isinstance(node.layer, Dropout) for node in record.model.network.nodes)
    dropout = ("on, as in training" if record.tape.training else "off") if drops else "none"
    count = f"{len(batch.names)} image{'s' * (len(batch.names) > 1)}"
    console.print(Text.assemble(("batch    ", "bold"), f"{count} of {one_line(batch.source)}"))
    console.print(
        Text.assemble(
            ("loss     ", "bold"), f"{format_number(record.loss)}, {right} of {len(batch.names)} classified right"
        )
    )
    console.print(Text.assemble(("numbers  ", "bold"), f"float64, dropout {dropout}"))
    if record.couples_images:
        further = _THROUGH_STATISTICS if inspection.agreement else f"Each image's gradient {_LONG}"
        console.print(f"{_COUPLED} {further}", style="yellow")
    console.print()


def _draw_images(inspection: Inspection, console: Console) -> None:
    classes, images = inspection.batch.classes, inspection.images[:_MOST_IMAGES]
    columns = [
        Column("m", [str(image.index + 1) for image in images], "right"),
        Column("image", [one_line(image.name) for image in images], wraps=True),
        Column("class", [one_line(classes[image.label]) for image in images], wraps=True),
        Column("taken for", [_verdict(classes[image.prediction], image.label == image.prediction) for image in images]),
        Column("p(class)", [_short(image.probability) for image in images], "right", weight=60),
        Column("loss", [_short(image.loss) for image in images], "right"),
        Column("‖∂L/∂θ‖", [_short(image.gradient_norm) for image in images], "right"),
        Column("‖∂L/∂X‖", [_short(image.input_gradient_norm) for image in images], "right", weight=70),
    ]
    print_table(console, columns, "Images, by their loss; the gradients are their shares, 1/M included")
    if len(inspection.images) > len(images):
        console.print(f"and {len(inspection.images) - len(images)} more", style="dim")
    console.print()


def _draw_chain(title: str, chain: Sequence[TensorStatistics], console: Console) -> None:
    columns = [
        Column("", [Text(line.symbol, style="bold") for line in chain]),
        Column("layer", [one_line(line.layer) for line in chain], weight=50),
        Column("shape", [format_shape(line.shape[:-1], "M") for line in chain]),
        *(
            Column(name, [_short(getattr(line, name)) for line in chain], "right")
            for name in ("mean", "std", "min", "max")
        ),
        Column("zeros", [_share(line.zeros) for line in chain], "right", weight=90),
    ]
    print_table(console, columns, title)
    console.print()


def _draw_parameters(inspection: Inspection, console: Console) -> None:
    lines = inspection.parameters
    spreads = [line.images for line in lines]
    columns = [
        Column("θ", [Text(line.symbol, style="bold") for line in lines]),
        Column("name", [one_line(line.name) for line in lines], weight=50),
        Column("shape", [format_shape(line.shape) for line in lines], weight=60),
        Column("‖∂L/∂θ‖", [_short(line.gradient_norm) for line in lines], "right"),
        Column("‖θ‖", [_short(line.norm) for line in lines], "right"),
        Column("ratio", ["–" if line.ratio is None else _short(line.ratio) for line in lines], "right"),
        Column("images' ‖gₘ‖", [f"{_short(s.min)}…{_short(s.max)}" if s else "" for s in spreads], "right", weight=80),
        Column("agree", [_share(s.agreement) if s else "" for s in spreads], "right", weight=70),
        Column("noise scale", [_noise_scale(s.noise) if s else "" for s in spreads], "right", weight=85),
    ]
    print_table(console, columns, "Parameters")
    if any(spreads):
        console.print("gₘ: an image's share of ∂L/∂θ; agree: ‖Σ gₘ‖/Σ ‖gₘ‖, 100% if all pull one way", style="dim")
    console.print()


def _draw_kinks(inspection: Inspection, console: Console) -> None:
    for relu in inspection.dead_units:
        maps = f", {relu.dead_channels} of {relu.channels} whole maps" if 1 < relu.channels < relu.units else ""
        console.print(f"{one_line(relu.layer)}: {relu.dead} of {relu.units} units are 0 for every image{maps}")
    for pool in inspection.tied_windows:
        tied = f"{pool.tied} of {pool.windows} windows have a tied maximum, {pool.at_zero} of them at 0"
        console.print(f"{one_line(pool.layer)}: {tied}")


def _draw_update(inspection: Inspection, console: Console) -> None:
    update = inspection.update
    before, after = format_number(update.loss_before), format_number(update.loss_after)
    step = f"one step of {update.optimizer.type}, lr {format_number(update.optimizer.lr)}"
    rate = update.longest_rate
    until = "" if rate is None else f"; to second order it falls up to lr {format_number(rate)}"
    if update.loss_after < update.loss_before:
        console.print(Text.assemble(("L falls", "bold green"), f" from {before} to {after} by {step}{until}"))
    else:
        console.print(Text.assemble(("L rises", "bold yellow"), f" from {before} to {after}: too long, {step}{until}"))


def grads_document(inspection: Inspection, selection: Selection | None = None) -> dict[str, Any]:
    """Return all that is shown, and the numbers where they are few or chosen, for `--json`."""
    record, update = inspection.record, inspection.update
    document = {
        "source": inspection.batch.source,
        "batch": len(inspection.batch.names),
        "classes": inspection.batch.classes,
        "dropout": record.tape.training,
        "images_coupled": record.couples_images,
        "loss": record.loss,
        "forward": inspection.forward_chain,
        "backward": inspection.backward_chain,
        "parameters": inspection.parameters,
        "images": inspection.images,
        "dead_units": inspection.dead_units,
        "tied_windows": inspection.tied_windows,
        "noise": inspection.noise,
        "agreement": inspection.agreement,
        "curvature": inspection.curvature,
        "update": {
            "optimizer": update.optimizer.type,
            "lr": update.optimizer.lr,
            "loss_before": update.loss_before,
            "loss_after": update.loss_after,
            "parabola": update.parabola,
            "longest_rate": update.longest_rate,
        },
    }
    if selection or is_small(record.model.network):
        steps = [*inspection.forward, *inspection.backward]
        document["steps"] = [step for step in steps if selection is None or step.symbol in selection.symbols]
    return document


def _verdict(name: str, right: bool) -> Text:
    return Text(one_line(name), style="green" if right else "red")


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _noise_scale(noise: Noise | None) -> str:
    return "" if noise is None else "unknown" if noise.scale is None else _short(noise.scale)


def _share(value: float) -> str:
    return f"{value:.0%}"
