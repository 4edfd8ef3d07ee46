"""layers.csv: the numbers of each epoch's watched step, and what is left of them when a run goes on."""

import csv
import json
import shutil

import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.tape import Tape
from cnnbp.training.layers_log import COLUMNS, LayersLog
from cnnbp.training.loop import EpochEvent, train
from cnnbp.training.state import QUANTILES, Distribution
from tests.cli.command import cnnbp
from tests.training.jobs import config, images, working

TEXT = """
input: {channels: 1, height: 4, width: 4}
data: {path: images}
layers: [{conv2d: {filters: 2, kernel: 3}}, relu, flatten, {dense: {units: 2}}]
loss: cross_entropy
train: {epochs: 4, batch_size: 5}
"""


def test_an_epoch_says_what_its_watched_step_was(tmp_path):
    settings = config(images(tmp_path / "images"), batch_size=12, epochs=1, data={"validation": 0})
    with working(settings) as (job, state):
        [batch] = job.batches(0)
        before, statistics = state.parameters.copy(), state.running_statistics
        gradient = job.engine.step(before, statistics, batch.micro_batches, 0).gradient.copy()
        [event] = [event for event in train(job, state) if isinstance(event, EpochEvent)]
        tape = Tape(
            job.config.network, state.parameters, state.running_statistics, batch.micro_batches[0].x, Arena(),
            training=False, keep_everything=True,
        )  # fmt: skip
        tape.forward()
        values = {node.name: tape.values[node.index] for node in job.config.network.nodes}
    log = LayersLog(tmp_path / "layers.csv")
    log.start_from(0)
    log.append(event)
    rows = log.by_tensor()
    for name, slope in gradient.named():
        row = rows[name][1]
        assert row["gradient_norm"] == pytest.approx(np.sqrt((slope.astype(float) ** 2).sum()), rel=1e-6)
        assert row["zeros"] == (slope == 0).mean()
        assert row["q05"] == pytest.approx(np.quantile(slope.astype(float), 0.05))
        assert row["parameter_norm"] == pytest.approx(np.linalg.norm(dict(before.named())[name]), abs=1e-6)
    for name in ("conv1", "batchnorm1", "relu1", "out"):
        row = rows[name][1]
        assert row["gradient_norm"] is None
        assert row["zeros"] == (values[name] == 0).mean()
        assert [row["q25"], row["q50"]] == pytest.approx(np.quantile(values[name].astype(float), [0.25, 0.5]).tolist())
    assert not {"flatten1", "dropout1"} & rows.keys()  # after training both give what they are given


def test_quantiles_of_many_numbers_are_those_of_a_sample():
    numbers = np.random.default_rng(0).normal(size=(50, 1000)).astype(np.float32)
    numbers[numbers < -1] = 0
    found = Distribution.of(numbers)
    assert found.zeros == (numbers == 0).mean()
    np.testing.assert_allclose(found.quantiles, np.quantile(numbers, QUANTILES), atol=0.06)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs, one of four epochs with its pictures and one of two."""
    folder = tmp_path_factory.mktemp("runs")
    images(folder / "images", (10, 10))
    (folder / "c.yaml").write_text(TEXT)
    code, screen, errors = cnnbp("train", "c.yaml", "--run", "whole", cwd=folder)
    assert code == 0, errors
    (folder / "screen").write_text(screen)
    assert cnnbp("train", "c.yaml", "train.epochs=2", "--run", "part", "--no-plots", cwd=folder)[0] == 0
    return folder


@pytest.mark.parametrize("damage", [None, "cut", "edited", "gone", "bytes"])
def test_a_run_that_goes_on_has_the_lines_of_one_that_never_stopped(folder, tmp_path, damage):
    shutil.copytree(folder / "part", tmp_path / "part")
    whole, part = folder / "whole" / "layers.csv", tmp_path / "part" / "layers.csv"
    text = part.read_text()
    if damage == "cut":
        part.write_text(text + text.splitlines()[-1].replace("2,", "3,", 1)[:-30])
    elif damage == "edited":
        part.write_text(text + "two,conv1,x\n")
    elif damage == "bytes":
        part.write_bytes(b"\xff\xfe\x00")
    elif damage == "gone":
        part.unlink()
    code, _, errors = cnnbp("train", "--resume", "part", "train.epochs=4", "--no-plots", cwd=tmp_path)
    assert code == 0, errors
    expected = whole.read_text().splitlines(keepends=True)
    if damage in ("gone", "bytes"):  # what there was cannot be known again
        expected = [line for line in expected if line[0] in "e34"]
    assert part.read_text() == "".join(expected)


def test_each_epoch_has_a_line_for_each_tensor_and_a_strip_shows_them(folder):
    with (folder / "whole/layers.csv").open() as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    names = ["conv2d1.W", "conv2d1.b", "dense1.W", "dense1.b", "conv2d1", "relu1", "dense1"]
    assert [row[:2] for row in rows] == [[str(epoch), name] for epoch in range(1, 5) for name in names]
    cells = [line.split() for line in (folder / "screen").read_text().splitlines() if line.startswith("conv2d1.W")]
    [strip] = [second for _, second, *_ in cells if "▁" <= second[0] <= "█"]
    assert len(strip) == 4
    assert (folder / "whole/layers.png").read_bytes().startswith(b"\x89PNG")


def test_grads_finds_the_same_in_the_checkpoint_that_an_epoch_begins_with(folder, tmp_path):
    """One step for an epoch, of all images: whatever their order, both take the same gradient."""
    begin = ["train", folder / "c.yaml", folder / "images", "--run", "run", "--no-plots"]
    whole = ["data.validation=0", "train.batch_size=20", "train.epochs=2"]
    assert cnnbp(*begin, *whole, cwd=tmp_path)[0] == 0
    assert (tmp_path / "run/checkpoints/best.npz").read_bytes() == (tmp_path / "run/checkpoints/last.npz").read_bytes()
    code, text, errors = cnnbp("grads", "run", "--batch", 20, "--json", cwd=tmp_path)
    assert code == 0, errors
    assert cnnbp("train", "--resume", "run", "train.epochs=3", "--no-plots", cwd=tmp_path)[0] == 0
    rows = LayersLog(tmp_path / "run" / "layers.csv").by_tensor()
    parameters = json.loads(text)["parameters"]
    assert len(parameters) == 4
    for parameter in parameters:
        row = rows[parameter["name"]][3]
        assert row["gradient_norm"] == pytest.approx(parameter["gradient_norm"], rel=1e-4)
        assert row["parameter_norm"] == pytest.approx(parameter["norm"], rel=1e-6)
