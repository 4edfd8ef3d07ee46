import numpy as np

from cnnbp.training.loop import train
from cnnbp.training.state import TrainingState
from tests.training.jobs import config, images, working


def test_the_first_state_follows_from_the_seed(tmp_path):
    first, again, other = (TrainingState.initial(config(tmp_path, seed=seed)).parameters.vector for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_copy_stays_as_it_is_while_training_goes_on(tmp_path):
    with working(config(images(tmp_path / "images"), optimizer="adam")) as (job, state):
        events = train(job, state)
        next(events)
        copy = state.copy()
        kept = [copy.parameters.vector.copy(), copy.slots["mean"].copy(), copy.running_statistics["batchnorm1"]]
        kept[2] = {name: array.copy() for name, array in kept[2].items()}
        for _ in events:
            pass
    assert (copy.step, copy.sums.steps, copy.history) == (1, 1, [])
    np.testing.assert_array_equal(copy.parameters.vector, kept[0])
    np.testing.assert_array_equal(copy.slots["mean"], kept[1])
    for name, array in kept[2].items():
        np.testing.assert_array_equal(copy.running_statistics["batchnorm1"][name], array)
    assert (copy.parameters["out"]["W"] != state.parameters["out"]["W"]).any()
