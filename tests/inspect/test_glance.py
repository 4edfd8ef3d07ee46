import numpy as np
import pytest

from cnnbp.config import load_config
from cnnbp.data.batches import epoch_order
from cnnbp.inspect.curvature import largest_curvature
from cnnbp.inspect.glance import Glance, glance
from cnnbp.inspect.noise import Noise
from cnnbp.inspect.record import Model, image_gradients, record_batch
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.state import TrainingState
from tests.configs import FOLDER


@pytest.fixture(scope="module")
def job():
    config = load_config(FOLDER / "lecture.yaml", ["train.batch_size=6"])
    return Job.of(config, load_datasets(config), threads=1)


def test_a_glance_sees_the_batch_that_an_epoch_would_begin_with_and_changes_nothing(job):
    state = TrainingState.initial(job.config)
    before = state.parameters.copy()
    seen = glance(job, state)
    train = job.datasets.train
    chosen = epoch_order(len(train), job.config.seed, 0)[:6]
    x = job.normalization.apply(train.images.take(train.indices[chosen]), np.float64)
    model = Model(job.config.network, job.engine.loss, before, {})
    record = record_batch(model, x, train.labels[chosen])
    norms = [6 * np.linalg.norm(share.vector) for share in image_gradients(record)]
    assert seen.noise == Noise.of(np.array(norms), float(np.linalg.norm(record.gradient.vector)))
    assert seen.curvature == largest_curvature(record, job.config.seed)
    assert state.parameters == before


def test_what_takes_long_is_not_begun(job, monkeypatch):
    monkeypatch.setattr("cnnbp.inspect.curvature._QUICK", 0)
    state = TrainingState.initial(job.config)
    assert glance(job, state).curvature is None
    assert glance(job, state).noise
    monkeypatch.setattr("cnnbp.inspect.glance.shares_are_quick", lambda network, images: False)
    monkeypatch.setattr("cnnbp.inspect.glance.record_batch", None)
    assert glance(job, state) == Glance(None, None, None)
