"""What `cnnbp bench` shows: each layer's time and rate, the whole step, and the step elsewhere."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from cnnbp.bench import Bench, LayerTime, Opponent, StepTime
from cnnbp.report.console import printable
from cnnbp.report.formatting import format_bytes
from cnnbp.report.tables import Column, print_table


def draw_bench(bench: Bench, console: Console) -> None:
    """Print a row for each layer, then what the whole step comes to."""
    layers = bench.layers
    columns = [
        Column("layer", [*(printable(layer.name) for layer in layers), "loss", "update"]),
        Column("type", [*(layer.type for layer in layers), "", ""], weight=50),
        Column("kernel", [*(layer.kernel or "" for layer in layers), "", ""], weight=90),
        Column(
            "forward\nms",
            [*(_ms(layer.forward_ms) for layer in layers), _ms(bench.loss_ms), _ms(bench.update_ms)],
            "right",
        ),
        Column("backward\nms", [*(_ms(layer.backward_ms) for layer in layers), "", ""], "right"),
        Column("\nGFLOP/s", [*map(_rate, layers), "", ""], "right"),
        Column("share of\nGEMM rate", [*map(_share, layers), "", ""], "right", weight=80),
    ]
    print_table(console, columns, "Layers: the whole batch on one core")
    console.print()
    for name, line in _lines(bench):
        console.print(Text.assemble((f"{name:<12}", "bold"), line), soft_wrap=True)


def _lines(bench: Bench) -> Iterator[tuple[str, str]]:
    images, cores = _plural(bench.batch, "image"), _plural(bench.threads, "core")
    yield "batch", f"{images} ({bench.source}) in micro-batches of {bench.micro_batch}, {bench.dtype}, {cores}"
    yield "step", f"{_time(bench.step_ms)}: {bench.images_per_second:,.0f} images/s"
    yield (
        "GEMM rate",
        f"{bench.gemm_gflops:.0f} GFLOP/s on {cores}, of which a step reaches {bench.share_of_gemm_rate:.0%}",
    )
    yield "memory", f"{format_bytes(bench.peak_memory_bytes)} at the peak of a step"
    if bench.against:
        yield from _opponent_lines(bench.against)


def _opponent_lines(opponent: Opponent) -> Iterator[tuple[str, str]]:
    for variant in opponent.variants:
        yield opponent.name.partition(" ")[0], f"{_time(variant.step_ms)}, {variant.name}"
    yield "ratio", f"{opponent.ratio:.2f}: the best median of {opponent.name} over cnnbp's"


def _time(step: StepTime) -> str:
    return f"{_ms(step.median)} ms (median; the fastest {_ms(step.min)} ms)"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g}" if milliseconds < 100 else f"{milliseconds:.0f}"


def _rate(layer: LayerTime) -> str:
    return "" if layer.gflops is None else f"{layer.gflops:.3g}"


def _share(layer: LayerTime) -> str:
    return "" if layer.share_of_gemm_rate is None else f"{layer.share_of_gemm_rate:.0%}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
