"""Try learning rates and widths, each with two seeds, and compare."""

import numpy as np

import cnnbp
from cnnbp.config import Config, DataConfig, InputConfig, TrainConfig
from cnnbp.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from cnnbp.losses import BinaryCrossEntropy
from cnnbp.optimizers import Adam


def configuration(filters: int, lr: float, seed: int) -> Config:
    """Return what is trained: one convolution of so many filters."""
    return Config(
        seed=seed,
        input=InputConfig(channels=1, height=6, width=6),
        data=DataConfig(path="datasets/strokes"),
        layers=[Conv2d(filters=filters, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)],
        loss=BinaryCrossEntropy(),
        train=TrainConfig(epochs=10, batch_size=16, optimizer=Adam(lr=lr)),
    )


for filters in (1, 4):
    for lr in (0.01, 0.1):
        losses = [list(cnnbp.train(configuration(filters, lr, seed)))[-1].metrics.val_loss or 0.0 for seed in (0, 1)]
        print(f"filters {filters}  lr {lr:<4}  validation loss {np.mean(losses):.3f} ± {np.ptp(losses) / 2:.3f}")
