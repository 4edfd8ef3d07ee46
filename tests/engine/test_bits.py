"""What holds for every configuration that comes along, whatever the kernels: the same bits, and nearly exact ones."""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Arena
from cnnbp.config import Config, load_config
from cnnbp.data.augment import Flip, Shift, augment
from cnnbp.engine import Engine, MicroBatch, micro_batch_size
from cnnbp.inspect.images import random_images
from tests.configs import every_config, every_config_with_large_ones_slow

MICRO_BATCHES = 5  # more of them than most threads: who takes the fifth is a matter of chance
ROUNDING_UNIT = 2.0**-24


def batches(config: Config, steps: int, images_each: int = 1) -> Iterator[list[MicroBatch]]:
    """Yield batches of random pictures, changed as the configuration says; mirrored and shifted where it does not."""
    count = MICRO_BATCHES * images_each
    pixels = np.random.default_rng(3).integers(0, 256, (count, *config.input.shape), np.uint8)
    labels = random_images(config, count).labels
    augmentations = (config.data and config.data.augment) or (Flip(axis="horizontal"), Shift(pixels=1))
    for epoch in range(steps):
        batch = []
        for start in range(0, count, images_each):
            indices = np.arange(start, start + images_each)
            changed = augment(pixels[indices], augmentations, Arena(), seed=config.seed, epoch=epoch, indices=indices)
            x = np.ascontiguousarray(changed.transpose(1, 2, 3, 0), np.float32) / np.float32(255)
            batch.append(MicroBatch(x, labels[indices]))
        yield batch


def bytes_after(config: Config, threads: int, steps: int = 20, images_each: int = 1) -> tuple[bytes, ...]:
    """Return the parameters, the optimizer's vectors and the running statistics after some steps."""
    network, optimizer = config.network, config.train.optimizer
    params, state, decays = network.initial_parameters(config.seed), network.initial_state(), network.decays()
    slots = optimizer.slots(params.vector.size, params.vector.dtype)
    loss = config.loss.balanced(random_images(config, MICRO_BATCHES).class_counts)
    with Engine(network, loss, threads=threads, seed=config.seed) as engine:
        for count, batch in enumerate(batches(config, steps, images_each), 1):
            result = engine.step(params, state, batch, count)
            gradient = result.gradient.vector
            optimizer.step(params.vector, gradient, decays, slots, lr=0.1 * optimizer.lr, count=count)
            state = result.state
    running = [array for tensors in state.values() for array in tensors.values()]
    assert np.isfinite(params.vector).all()
    return tuple(array.tobytes() for array in (params.vector, *slots.values(), *running))


@every_config_with_large_ones_slow
def test_twenty_steps_leave_the_same_bytes_on_any_number_of_threads(path):
    config = load_config(path)
    assert len({bytes_after(config, threads) for threads in (1, 2, 3, 4, 8)}) == 1


@every_config_with_large_ones_slow
def test_kernels_for_as_many_images_as_a_micro_batch_has_leave_the_same_bytes_too(path):
    config = load_config(path)
    images_each = min(micro_batch_size(config.network, 1 << 20), 32)  # where more fit, they are small and many are slow
    assert len({bytes_after(config, threads, 2, images_each) for threads in (1, 2, 3)}) == 1


@every_config
def test_a_float32_gradient_is_the_float64_one_to_a_few_hundred_rounding_units(path):
    config = load_config(path)
    [batch] = batches(config, 1)
    gradients = []
    for dtype in (np.float32, np.float64):
        images = [MicroBatch(m.x.astype(dtype), m.labels) for m in batch]
        params, state = config.network.initial_parameters(0).astype(dtype), config.network.initial_state()
        loss = config.loss.balanced(random_images(config, MICRO_BATCHES).class_counts)
        with Engine(config.network, loss, threads=1) as engine:
            gradients.append(engine.step(params, state, images).gradient)
    for (name, single), (_, double) in zip(*(gradient.named() for gradient in gradients), strict=True):
        assert single.dtype == np.float32
        error = np.linalg.norm(single - double) / np.linalg.norm(double)
        assert error < 500 * ROUNDING_UNIT, f"{name}: {error / ROUNDING_UNIT:.0f} rounding units"
