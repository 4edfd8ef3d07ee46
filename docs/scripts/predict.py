"""Predict a thousand images one by one, as a service would."""

from collections import Counter
from time import perf_counter

import numpy as np

import cnnbp

run = cnnbp.load("runs/script")
rng = np.random.default_rng(0)
found: Counter[str] = Counter()
started = perf_counter()
for _ in range(1000):
    image = rng.integers(0, 256, (6, 6), dtype=np.uint8)
    [prediction] = run.predict(image, layout="hw")
    found[prediction.label] += 1
print(dict(found), f"{perf_counter() - started:.1f} ms for each")
