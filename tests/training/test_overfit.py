"""A few images are learned by heart, or it is said that they are not."""

import json

import numpy as np
import pytest

from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.overfit import GOAL, overfit, overfit_config, overfit_result
from cnnbp.training.state import TrainingState
from tests.training.jobs import config, images
from tests.training.runs import train as run_train
from tests.training.runs import write_job


def learned(settings, count):
    settings = overfit_config(settings)
    job, state = Job.of(settings, load_datasets(settings).only(count), threads=1), TrainingState.initial(settings)
    with job.engine:
        for _ in overfit(job, state):
            pass
    return overfit_result(job, state)


def test_noise_is_learned_by_heart_until_the_loss_is_a_hundredth_of_chance(tmp_path):
    layers = ("flatten", {"dense": {"units": 16}}, "relu", {"dense": {"units": 2}})
    result = learned(config(images(tmp_path / "images"), layers, optimizer={"adam": {"lr": 0.01}}), 6)
    assert result.learned
    assert (result.images, result.accuracy, result.goal) == (6, 1.0, pytest.approx(GOAL * np.log(2)))
    assert result.loss <= result.goal
    assert result.epochs < 1000


def test_what_keeps_a_network_from_learning_by_heart_is_left_out(tmp_path):
    settings = config(
        tmp_path,
        loss={"cross_entropy": {"label_smoothing": 0.2, "class_weights": "balanced"}},
        data={"augment": [{"shift": 1}]},
        optimizer={"adam": {"weight_decay": 0.1}},
        schedule="cosine",
        early_stopping={"patience": 1},
        clip_norm=1.0,
    )
    plain = overfit_config(settings)
    assert plain.data.augment == ()
    assert (plain.loss.label_smoothing, plain.loss.class_weights) == (0, "balanced")
    assert plain.train.optimizer.weight_decay == 0
    assert (plain.train.schedule.type, plain.train.early_stopping, plain.train.clip_norm) == ("constant", None, 1.0)


def test_the_command_ends_with_0_and_writes_nothing(tmp_path):
    config_file = write_job(tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, err = run_train(config_file, "--overfit", "9", "--json", cwd=tmp_path)
    assert code == 0, err
    document = json.loads(out)
    assert document["images"] == 9
    assert document["loss"] <= document["goal"]
    assert set(tmp_path.rglob("*")) == before


def test_the_command_ends_with_1_where_the_network_cannot(tmp_path):
    config_file = write_job(tmp_path, per_class=(2, 2, 2))
    code, out, _ = run_train(config_file, "train.optimizer.sgd.lr=1e-9", "--overfit", "3", "-q", cwd=tmp_path)
    assert code == 1
    assert "3 images not learned by heart after 1000 epochs" in out
