from io import StringIO

import pytest
from rich.console import Console

from cnnbp.report.curves import draw_curves, round_ticks
from cnnbp.training.state import EpochMetrics


def epoch(number, train_loss, val_loss):
    return EpochMetrics(number, train_loss, 0.5, val_loss, None if val_loss is None else 0.25, 0.1, 1.0, 0.01)


def printed(history, width=80):
    file = StringIO()
    draw_curves(history, Console(file=file, width=width))
    return file.getvalue().splitlines()


def test_validation_is_told_from_training_by_its_dots():
    lines = printed([epoch(n, 2 / n, 3 / n) for n in range(1, 11)])
    assert "⣀⠤⠒ train   ○ validation" in lines[0]
    assert sum(line.count("○") for line in lines[1 : lines.index("")]) == 10


def test_without_validation_there_are_no_dots():
    assert "○" not in "".join(printed([epoch(n, 2 / n, None) for n in range(1, 11)]))


def test_many_dots_are_thinned_so_that_the_line_is_still_seen_and_the_last_one_stays():
    lines = printed([epoch(n, 2.0 + n, 1.0 + n) for n in range(200)])
    loss = lines[1 : lines.index("")]
    assert 10 <= sum(line.count("○") for line in loss) <= 20
    assert "○" in loss[0] + loss[1] + loss[2]


def test_losses_of_several_orders_are_drawn_on_a_logarithmic_scale():
    lines = printed([epoch(n, 10.0**-n, 10.0**-n) for n in range(4)])
    assert "loss, logarithmic" in lines[0]
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert labels[:4] == ["1", "0.1", "0.01", "0.001"]


def test_a_loss_of_nothing_has_no_logarithm():
    assert "logarithmic" not in printed([epoch(1, 1.0, 1.0), epoch(2, 0.0, 0.0)])[0]


def test_one_epoch_is_no_curve():
    assert printed([epoch(1, 1.0, 1.0)]) == []


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.481, 0.999], [0.5, 0.6, 0.7, 0.8, 0.9]),
        ([0, 199], [0, 50, 100, 150]),
        ([-3.2, 1e5], [0, 5e4, 1e5]),
        ([0.9995, 0.9999], [0.9995, 0.9996, 0.9997, 0.9998, 0.9999]),
        ([3, 3], [3]),
    ],
)
def test_ticks_are_round_numbers(values, ticks):
    assert round_ticks(values, 5) == pytest.approx(ticks, rel=1e-9)


def test_epochs_are_whole_numbers():
    lines = printed([epoch(n, 2.0 / n, 1.0 / n) for n in range(1, 13)])
    assert lines[lines.index("") - 1].split() == ["2", "4", "6", "8", "10", "12"]
    labels = [line.split("┤")[0].strip() for line in lines[: lines.index("")] if "┤" in line]
    assert labels == ["2", "1.5", "1", "0.5"]
