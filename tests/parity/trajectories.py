"""How far optimizers and schedules are from PyTorch's after each of 20 steps."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch.optim import lr_scheduler

from cnnbp.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from cnnbp.schedules import Constant, Cosine, Plateau, Schedule, Step, Warmup

STEPS, EPOCHS = 20, 5
STEPS_PER_EPOCH = STEPS // EPOCHS
VALIDATION_LOSSES = [1.0, 0.8, 0.80001, 0.9, 0.7]

TorchOptimizer = Callable[..., torch.optim.Optimizer]
TorchSchedule = Callable[[torch.optim.Optimizer], Any]

OPTIMIZERS: list[tuple[Optimizer, TorchOptimizer]] = [
    (SGD(lr=0.1), torch.optim.SGD),
    (SGD(lr=0.1, momentum=0.9), partial(torch.optim.SGD, momentum=0.9)),
    (SGD(lr=0.1, momentum=0.9, nesterov=True), partial(torch.optim.SGD, momentum=0.9, nesterov=True)),
    (SGD(lr=0.1, momentum=0.5, weight_decay=0.01), partial(torch.optim.SGD, momentum=0.5)),
    (RMSprop(), torch.optim.RMSprop),
    (RMSprop(lr=0.01, rho=0.9, eps=1e-4, weight_decay=0.01), partial(torch.optim.RMSprop, alpha=0.9, eps=1e-4)),
    (Adam(), torch.optim.Adam),
    (Adam(lr=0.03, beta1=0.8, beta2=0.9, weight_decay=0.01), partial(torch.optim.Adam, betas=(0.8, 0.9))),
    (Adam(lr=0.03, eps=1e-4), partial(torch.optim.Adam, eps=1e-4)),
    (AdamW(), torch.optim.AdamW),
    (AdamW(lr=0.03, beta1=0.8, beta2=0.9, weight_decay=0.1), partial(torch.optim.AdamW, betas=(0.8, 0.9))),
]


def optimizer_distance(optimizer: Optimizer, in_torch: TorchOptimizer, dtype: DTypeLike) -> float:
    """Return how far θ is at worst over 20 steps down a bowl; half of it decays, as weights do and biases do not."""
    rng = np.random.default_rng(0)
    theta, centre = (rng.normal(size=40).astype(dtype) for _ in range(2))
    decays = (np.arange(40) < 20).astype(dtype)
    weights, biases = (torch.tensor(half) for half in np.split(theta, 2))
    groups = [{"params": [weights], "weight_decay": optimizer.weight_decay}, {"params": [biases], "weight_decay": 0.0}]
    torch_optimizer = in_torch(groups, lr=optimizer.lr)
    slots, worst = optimizer.slots(theta.size, theta.dtype), 0.0
    for count in range(1, STEPS + 1):
        for half, goal in zip((weights, biases), np.split(centre, 2), strict=True):
            half.grad = half - torch.from_numpy(goal)
        torch_optimizer.step()
        optimizer.step(theta, theta - centre, decays, slots, lr=optimizer.lr, count=count)
        expected = torch.cat([weights, biases]).numpy()
        worst = max(worst, float(np.abs(theta - expected).max() / np.abs(expected).max()))
    return worst


def _warmed_up(then: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], steps: int) -> TorchSchedule:
    def build(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1)
        return lr_scheduler.SequentialLR(optimizer, [rise, then(optimizer)], milestones=[steps])

    return build


SCHEDULES: list[tuple[Schedule, TorchSchedule]] = [
    (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1)),
    (Warmup(warmup=2), lambda o: lr_scheduler.LinearLR(o, 1 / 8, total_iters=7)),
    (Step(every=2, gamma=0.3), lambda o: lr_scheduler.StepLR(o, 2 * STEPS_PER_EPOCH, 0.3)),
    (Step(every=1, warmup=1.5), _warmed_up(lambda o: lr_scheduler.StepLR(o, STEPS_PER_EPOCH, 0.1), 6)),
    (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
    (Cosine(floor=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
    (Cosine(warmup=1), _warmed_up(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS - 4), 4)),
    (Plateau(patience=0, gamma=0.5), lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=0)),
    (Plateau(patience=1, threshold=0.3), lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, threshold=0.3)),
]


def schedule_distance(schedule: Schedule, in_torch: TorchSchedule) -> float:
    """Return how far the rate's factor is at worst over 20 steps in 5 epochs."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    torch_schedule, worst = in_torch(optimizer), 0.0
    for step in range(STEPS):
        over = step // STEPS_PER_EPOCH
        factor = schedule.factor(step, STEPS_PER_EPOCH, EPOCHS, VALIDATION_LOSSES[:over])
        worst = max(worst, abs(factor - optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if not isinstance(torch_schedule, lr_scheduler.ReduceLROnPlateau):
            torch_schedule.step()
        elif (step + 1) % STEPS_PER_EPOCH == 0:
            torch_schedule.step(VALIDATION_LOSSES[over])
    return worst


def trajectory_distances(dtype: DTypeLike) -> Iterator[tuple[str, float]]:
    """Yield the distance of each optimizer and schedule, with the options that it was given."""
    for optimizer, in_torch in OPTIMIZERS:
        yield _described(optimizer), optimizer_distance(optimizer, in_torch, dtype)
    for schedule, then in SCHEDULES:
        yield _described(schedule), schedule_distance(schedule, then)


def _described(model: Optimizer | Schedule) -> str:
    options = (f"{name} {getattr(model, name)}" for name in type(model).model_fields if name in model.model_fields_set)
    return ", ".join([model.type, *options])
