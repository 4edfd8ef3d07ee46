from pathlib import Path

import numpy as np
import pytest

from cnnbp.bench.steps import LayerClock, TrainingStep
from cnnbp.config import load_config
from cnnbp.engine import Engine
from cnnbp.inspect.images import random_images

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def step():
    config = load_config(CONFIGS / "bench" / "digits8.yaml")
    with Engine(config.network, config.loss, threads=1) as engine:
        yield TrainingStep(config, random_images(config, 5), engine)


def test_a_step_that_is_timed_leaves_the_parameters_where_they_are(step):
    before = step.params.vector.copy()
    step()
    assert np.array_equal(step.params.vector, before)
    assert step.slots["velocity"].any()


def test_layer_by_layer_a_step_comes_to_the_engines_gradient(step):
    clock = LayerClock(step)
    clock()
    gradient = step.engine.step(step.params, step.state, step.batch).gradient
    assert np.array_equal(clock.gradient.vector, gradient.vector)


def test_every_layer_is_timed_forward_and_backward_with_what_is_done_with_it(step):
    clock = LayerClock(step)
    clock()
    clock()
    assert np.shape(clock.seconds) == (2, len(step.engine.network.nodes), 2)
    assert [index for index, spent in enumerate(clock.seconds[0]) if (spent > 0).all()] == [0, 2, 3, 5, 6, 7]
