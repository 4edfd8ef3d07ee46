import numpy as np
import pytest

from cnnbp.errors import ConfigError
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from tests.training.jobs import config, images, working

BALANCED = {"cross_entropy": {"class_weights": "balanced"}}


def test_steps_show_every_image_once_the_last_one_being_smaller(tmp_path):
    with working(config(images(tmp_path / "images"), batch_size=4)) as (job, _):  # 10 train
        assert job.steps_per_epoch == 3
        assert [len(batch.indices) for batch in job.batches(0)] == [4, 4, 2]
        assert [len(batch.indices) for batch in job.batches(0, 2)] == [2]
        assert not list(job.batches(0, 3))


def test_a_single_image_that_is_left_over_is_joined_to_the_batch_before(tmp_path):
    with working(config(images(tmp_path / "images"), batch_size=3)) as (job, _):  # 10 train
        assert (job.steps_per_epoch, job.whole_steps, job.last_batch) == (3, 3, 4)
        assert [len(batch.indices) for batch in job.batches(0)] == [3, 3, 4]
        assert [len(batch.indices) for batch in job.batches(0, 2)] == [4]
        assert not list(job.batches(0, 3))


def test_a_batch_norm_that_sees_one_value_of_a_channel_is_refused_by_name(tmp_path):
    after_dense = ("flatten", {"dense": {"units": 3}}, {"batchnorm": {"name": "norm"}}, {"dense": {"units": 2}})
    folder = images(tmp_path / "images")
    with pytest.raises(ConfigError, match=r'"norm" sees one value .* because train.batch_size is 1: .* set it to 2 or'):
        Job.of(config(folder, after_dense, batch_size=1), load_datasets(config(folder)))
    Job.of(config(folder, after_dense, batch_size=2), load_datasets(config(folder)))
    Job.of(config(folder, batch_size=1), load_datasets(config(folder)))  # 2×2 values
    one = load_datasets(config(folder)).only(1)
    with pytest.raises(ConfigError, match="because there is one image to train on"):
        Job.of(config(folder, after_dense), one)


def test_a_batch_larger_than_the_folder_is_all_of_it(tmp_path):
    with working(config(images(tmp_path / "images"), batch_size=64)) as (job, _):
        assert job.steps_per_epoch == 1
        assert [len(batch.indices) for batch in job.batches(0)] == [10]


@pytest.mark.parametrize("loss", ["cross_entropy", BALANCED, "binary_cross_entropy"])
def test_chance_is_ln_2_for_two_classes_balanced_or_not(tmp_path, loss):
    outputs = 1 if loss == "binary_cross_entropy" else 2
    layers = ("flatten", {"dense": {"units": outputs}})
    with working(config(images(tmp_path / "images", (9, 3)), layers, loss=loss)) as (job, _):
        assert job.chance_loss == pytest.approx(np.log(2))


def test_chance_counts_each_class_as_often_as_it_has_images(tmp_path):
    weighted = {"cross_entropy": {"class_weights": [1.0, 3.0]}}
    with working(config(images(tmp_path / "images", (9, 3)), loss=weighted)) as (job, _):
        a, b = job.datasets.class_counts
        assert job.chance_loss == pytest.approx(np.log(2) * (a + 3 * b) / (a + b))


def test_the_initial_loss_is_that_of_the_first_batch_without_dropout(tmp_path):
    with working(config(images(tmp_path / "images"))) as (job, state):
        batch = next(job.batches(0))
        expected = job.engine.infer(state.parameters, state.running_statistics, batch.micro_batches)
        assert job.initial_loss(state) == pytest.approx(float(expected.losses.mean()))


def test_weights_are_what_decays_and_neither_biases_nor_batch_norm(tmp_path):
    with working(config(images(tmp_path / "images"))) as (job, _):
        assert job.weights == {"conv1.W", "out.W"}
        assert job.decays.sum() == 2 * 9 + 2 * 8


def test_auto_normalisation_is_that_of_the_training_images(tmp_path):
    with working(config(images(tmp_path / "images"), data={"normalize": "auto"})) as (job, _):
        train = job.datasets.train
        pixels = train.images.pixels[train.indices] / 255
        np.testing.assert_allclose(job.normalization.mean, pixels.mean(), rtol=1e-5)
        np.testing.assert_allclose(job.normalization.std, pixels.std(), rtol=1e-5)
