"""Two files with a line for each epoch, whatever happened to them before."""

import csv
import json

import pytest

from cnnbp.errors import CheckpointError
from cnnbp.training.loop import EpochEvent
from cnnbp.training.metrics import EpochMetrics
from cnnbp.training.metrics_log import COLUMNS, MetricsLog

EPOCHS = [EpochMetrics(n, 1 / 3, 0.5, None, None, 0.1, 2.0, 1e-3) for n in (1, 2, 3)]


def event(metrics, seconds):
    return EpochEvent(metrics, (), (), images_per_second=10.0, seconds=seconds)


@pytest.fixture
def log(tmp_path):
    log = MetricsLog(tmp_path)
    log.start_from([])
    for metrics in EPOCHS:
        log.append(event(metrics, metrics.epoch / 4))
    return log


def read(log):
    with log.csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, [json.loads(line) for line in log.jsonl.read_text().splitlines()]


def test_both_have_every_column_of_every_epoch(log):
    rows, lines = read(log)
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert [tuple(line) for line in lines] == [COLUMNS] * 3
    assert [float(row["train_loss"]) for row in rows] == [1 / 3] * 3  # to the last bit
    assert [line["seconds"] for line in lines] == [0.25, 0.5, 0.75]
    assert rows[0]["val_loss"] == ""
    assert lines[0]["val_loss"] is None


def test_starting_from_a_history_drops_what_came_after_it_and_keeps_the_times(log):
    whole = log.csv.read_text().splitlines(keepends=True)
    log.start_from(EPOCHS[:2])
    assert log.csv.read_text() == "".join(whole[:3])
    assert [line["seconds"] for line in read(log)[1]] == [0.25, 0.5]


@pytest.mark.parametrize("damage", [b'{"epoch": 3, "tra', b"\xff\xfe\n", b"[1]\n", b'{"epoch": [1]}\n', b"3\n"])
def test_a_line_that_was_cut_off_or_is_something_else_is_written_anew(log, damage):
    log.jsonl.write_bytes(log.jsonl.read_bytes()[:-20] + b"\n" + damage)
    log.start_from(EPOCHS)
    rows, lines = read(log)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["seconds"] for line in lines] == [0.25, 0.5, None]
    assert rows[2]["seconds"] == ""


def test_files_that_are_gone_come_back_without_times(log):
    log.csv.unlink()
    log.jsonl.unlink()
    log.start_from(EPOCHS)
    assert [line["seconds"] for line in read(log)[1]] == [None] * 3


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(CheckpointError, match=r"cannot write '.*metrics\.csv'"):
        MetricsLog(tmp_path).append(event(EPOCHS[0], 1.0))
