"""Every configuration that comes along is read, has shapes, takes a step and passes a gradient check."""

import numpy as np

from cnnbp.config import load_config
from cnnbp.engine import Engine, MicroBatch
from cnnbp.gradcheck import check_network
from cnnbp.inspect.images import random_images
from tests.cli.command import cnnbp
from tests.configs import FOLDER, every_config, every_config_with_large_ones_slow


def test_the_expected_configurations_come_along():
    expected = {"lecture", "digits", "lenet", "vgg", "residual", "cats_dogs"}
    assert expected == {path.stem for path in FOLDER.glob("*.yaml")}
    workloads = {"lecture", "digits8", "mnist28", "cifar32", "photo64"}
    assert workloads == {path.stem for path in FOLDER.glob("bench/*.yaml")}


@every_config
def test_it_shows_its_shapes(path, tmp_path):
    exit_code, screen, errors = cnnbp("shapes", path, "--backward", cwd=tmp_path)
    assert (exit_code, errors) == (0, "")
    for node in load_config(path).network.nodes:
        assert node.name in screen


@every_config
def test_it_takes_a_step_that_makes_its_loss_smaller(path):
    config = load_config(path)
    images = random_images(config, 4)
    loss, network = config.loss.balanced(images.class_counts), config.network
    params, state, optimizer = network.initial_parameters(0), network.initial_state(), config.train.optimizer
    batch = [
        MicroBatch(np.ascontiguousarray(images.x[..., m : m + 2], np.float32), images.labels[m : m + 2]) for m in (0, 2)
    ]
    slots = optimizer.slots(params.vector.size, params.vector.dtype)
    with Engine(network, loss) as engine:
        before = engine.step(params, state, batch)
        rate = 0.01 * optimizer.lr  # so small that the gradient's promise holds
        optimizer.step(params.vector, before.gradient.vector, network.decays(), slots, lr=rate, count=1)
        after = engine.step(params, before.state, batch)
    assert all(array.any() for _, array in before.gradient.named())
    assert after.loss < before.loss


@every_config_with_large_ones_slow
def test_it_passes_a_gradient_check(path):
    config = load_config(path)
    images, network = random_images(config, 3), config.network
    report = check_network(
        network,
        config.loss.balanced(images.class_counts),
        network.initial_parameters(0, np.float64),
        network.initial_state(),
        images.x,
        images.labels,
        entries=1,
    )
    assert report.verdict == "pass", report
