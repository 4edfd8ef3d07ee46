"""Measuring a network: the step in turns with a large matrix product and, if wanted, with an opponent."""

from collections.abc import Callable, Mapping
from statistics import median

import numpy as np

from cnnbp.arrays import Array
from cnnbp.bench.gemm import GEMM_FLOPS, gemm
from cnnbp.bench.results import Bench, LayerTime, Opponent, StepTime, Variant
from cnnbp.bench.steps import DTYPE, LayerClock, TrainingStep
from cnnbp.bench.timing import take_turns
from cnnbp.config import Config
from cnnbp.engine import Engine
from cnnbp.errors import ConfigError
from cnnbp.inspect.images import Images
from cnnbp.inspect.memory import step_memory
from cnnbp.network import Node

Progress = Callable[[str, int, int], None]  # what is measured, rounds done, rounds in all
Steps = Mapping[str, Callable[[], object]]

_OURS, _GEMM = "step", "gemm"


def run_bench(
    config: Config, images: Images, threads: int, *, seconds: float, against_torch: bool, progress: Progress
) -> Bench:
    """Measure a training step over the images on `threads` cores, for `seconds`, and its layers, for half as long.

    Raises ConfigError where PyTorch is wanted and not installed.
    """
    loss = config.loss.balanced(images.class_counts)
    planner = config.train.planner
    with Engine(config.network, loss, threads=threads, seed=config.seed, planner=planner) as engine:
        step = TrainingStep(config, images, engine)
        name, others = _in_torch(step, images, threads) if against_torch else ("", {})
        contenders: Steps = {_OURS: step, _GEMM: gemm(threads), **others}
        times = take_turns(contenders, seconds, lambda done, total: progress("steps", done, total))
        layers, loss_ms, update_ms = _layers(step, seconds / 2, progress)
    M, ours = len(images.labels), StepTime.of(times[_OURS])
    rate = threads * GEMM_FLOPS / median(times[_GEMM])
    memory = step_memory(config.network, loss, config.train.optimizer, M, threads, planner)
    return Bench(
        source=images.source,
        batch=M,
        micro_batch=memory.micro_batch,
        peak_memory_bytes=memory.peak_bytes,
        threads=threads,
        dtype=np.dtype(DTYPE).name,
        step_ms=ours,
        images_per_second=1000 * M / ours.median,
        gemm_gflops=rate / 1e9,
        share_of_gemm_rate=sum(map(_flops, config.network.nodes)) * M / (ours.median / 1000) / rate,
        layers=layers,
        loss_ms=loss_ms,
        update_ms=update_ms,
        against=_opponent(name, {other: StepTime.of(times[other]) for other in others}, ours) if others else None,
    )


def _flops(node: Node) -> int:
    """Return a layer's floating-point operations for one image: a multiply-accumulate is two."""
    return 2 * (node.macs + node.backward_macs)


def _layers(step: TrainingStep, seconds: float, progress: Progress) -> tuple[tuple[LayerTime, ...], float, float]:
    """Return the layers' times, and the milliseconds in the loss and in the update."""
    clock = LayerClock(step)
    contenders: Steps = {"layers": clock, _GEMM: gemm(1)}
    times = take_turns(contenders, seconds, lambda done, total: progress("layers", done, total))
    medians, rate = np.median(clock.seconds, axis=0), GEMM_FLOPS / median(times[_GEMM])
    layers = tuple(_layer(node, medians[node.index], step, rate) for node in clock.network.nodes)
    return layers, 1000 * median(clock.loss_seconds), 1000 * median(clock.update_seconds)


def _layer(node: Node, seconds: Array, step: TrainingStep, gemm_rate: float) -> LayerTime:
    rate = (
        _flops(node) * step.size / float(seconds.sum()) if seconds.any() else 0.0
    )  # its work may be done with another's
    return LayerTime(
        name=node.name,
        type=node.layer.type,
        kernel=_kernel(step, node),
        forward_ms=1000 * float(seconds[0]),
        backward_ms=1000 * float(seconds[1]),
        gflops=rate / 1e9 if rate else None,
        share_of_gemm_rate=rate / gemm_rate if rate else None,
    )


def _kernel(step: TrainingStep, node: Node) -> str | None:
    operation = step.planner(step.engine.network, len(step.batch[0].labels), np.dtype(DTYPE)).operation_of(node)
    return operation.kernel if node is operation.owner else None


def _in_torch(step: TrainingStep, images: Images, threads: int) -> tuple[str, Steps]:
    try:
        from cnnbp.bench import torch_step
    except ImportError as error:
        raise ConfigError(
            "a comparison with PyTorch needs the package 'torch', which is not installed: pip install 'cnnbp[torch]'"
        ) from error
    engine = step.engine
    x = images.x.astype(DTYPE)
    steps = torch_step.torch_steps(
        engine.network, engine.loss, step.optimizer, step.params, step.state, x, images.labels, threads
    )
    return torch_step.NAME, steps


def _opponent(name: str, times: Mapping[str, StepTime], ours: StepTime) -> Opponent:
    variants = tuple(Variant(variant, time) for variant, time in times.items())
    return Opponent(name, variants, min(time.median for time in times.values()) / ours.median)
