"""The digits, trained as they come: one seed gives one run."""

import pytest

from cnnbp.config import load_config
from tests.cli.command import ROOT
from tests.training.runs import fingerprint, train


@pytest.mark.slow
def test_three_runs_of_one_seed_are_the_same_and_another_seed_is_another_run(tmp_path):
    config = ROOT / "configs/digits.yaml"
    runs = []
    for number, options in enumerate([(), ("--threads", 1), ("--threads", 2), ("--seed", 1)]):
        run = tmp_path / f"run{number}"
        assert train(config, "train.epochs=5", "--run", run, *options, cwd=tmp_path)[0] == 0
        runs.append(fingerprint(run))
    first, second, third, other = runs
    assert first == second == third
    assert other["metrics.jsonl"] != first["metrics.jsonl"]
    assert load_config(tmp_path / "run3/config.yaml").seed == 1
