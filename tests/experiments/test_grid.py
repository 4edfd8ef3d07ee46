import pytest

from cnnbp.errors import ConfigError
from cnnbp.experiments.grid import trials_of


def test_every_combination_of_the_values_is_trained_with_every_seed():
    shared, trials = trials_of(["train.epochs=2", "train.optimizer.sgd.lr=0.1,0.2", "train.batch_size=8,16"], [3, 4])
    assert shared == ["train.epochs=2"]
    assert len(trials) == 2 * 2 * 2
    assert trials[0].overrides == ["train.optimizer.sgd.lr=0.1", "train.batch_size=8", "seed=3"]
    assert [trial.name for trial in trials][:2] == ["lr=0.1,batch_size=8,seed=3", "lr=0.1,batch_size=8,seed=4"]


def test_with_folds_each_combination_is_trained_once_for_each_of_them():
    _, trials = trials_of(["train.batch_size=8,16"], [7], folds=3)
    assert [trial.name for trial in trials][:2] == ["batch_size=8,seed=7,fold=1of3", "batch_size=8,seed=7,fold=2of3"]
    assert trials[-1].overrides == ["train.batch_size=16", "seed=7", "data.fold=[3, 3]"]
    assert len(trials) == 6
    assert len(trials_of([], [1, 2], folds=5)[1]) == 10


def test_commas_in_brackets_and_quotes_do_not_part_values():
    _, trials = trials_of(["train.optimizer={sgd: {lr: 1, momentum: 0.9}},adam", "x=['a,b', \"c,d\"],'e,f'"], [0])
    assert [trial.setting["train.optimizer"] for trial in trials][::2] == ["{sgd: {lr: 1, momentum: 0.9}}", "adam"]
    assert [trial.setting["x"] for trial in trials][:2] == ["['a,b', \"c,d\"]", "'e,f'"]


def test_keys_that_end_alike_are_told_apart_in_the_names_of_the_runs():
    _, trials = trials_of(["layers.0.filters=1,2", "layers.3.filters=4,5"], [0])
    assert trials[0].name == "0.filters=1,3.filters=4,seed=0"


def test_a_name_holds_no_character_that_a_file_system_could_mind():
    _, trials = trials_of(["data.path=../a b/c,/d:e"], [0])
    assert [trial.name for trial in trials] == ["path=.._a_b_c,seed=0", "path=_d_e,seed=0"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.epochs=1,"], "empty value"),
        (["seed=1,2"], "--seeds"),
        (["train.epochs=2,2"], "called 'epochs=2,seed=0'"),
        (["data.path=" + "x" * 200 + ",b"], "too long to name"),
    ],
)
def test_what_makes_no_grid_is_refused(overrides, words):
    with pytest.raises(ConfigError, match=words):
        trials_of(overrides, [0])


def test_more_runs_than_anyone_waits_for_are_refused_before_they_are_listed():
    with pytest.raises(ConfigError, match=r"a sweep of 200,000,000,000 runs: 10,000 are the most"):
        trials_of(["train.epochs=1,2"], range(10**11))
    assert len(trials_of(["train.epochs=1,2"], range(5000))[1]) == 10_000
