"""`cnnbp train` as it looks: in a real terminal, and where there is none."""

import json
import re
import subprocess
from itertools import takewhile

import pytest
from rich.cells import cell_len

from tests.cli.command import COMMAND, ROOT, cnnbp, environment
from tests.cli.runs import CONFIG, image_folder
from tests.cli.terminal import COLOURS, Terminal

LECTURE = ROOT / "configs/lecture.yaml"
ROW = re.compile(r" *\d+/12 ")


def training(run, *more):
    return ["train", LECTURE, "train.epochs=12", "--run", run, "--no-plots", *more]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_wider_than_the_terminal_and_each_epoch_has_one(tmp_path, width):
    with Terminal(width, *training("run"), cwd=tmp_path) as terminal:
        assert terminal.finish() == 0
        lines = terminal.lines
    assert max(map(cell_len, lines)) <= width
    rows = [line for line in lines if ROW.match(line)]
    assert len(rows) == 12
    assert rows[0].rstrip().endswith("best")
    header = next(line for line in lines if line.lstrip().startswith("epoch "))
    assert ("images/s" in header) == (width >= 80)
    assert header.index("val acc") + len("val acc") == rows[0].index("%") + 1


def test_the_end_says_what_to_type_next(tmp_path):
    with Terminal(80, *training("my run"), cwd=tmp_path) as terminal:
        assert terminal.finish() == 0
        end = terminal.lines[-5:]
    assert end[1].startswith("next  cnnbp evaluate 'my run'")
    assert "cnnbp predict 'my run' IMAGE…" in end[2]
    assert "cnnbp grads 'my run'" in end[3]


def test_a_terminal_without_unicode_shows_everything_by_other_means(tmp_path):
    with Terminal(80, *training("run"), cwd=tmp_path, PYTHONIOENCODING="ascii") as terminal:
        assert terminal.finish() == 0
        assert terminal.raw.isascii()
        lines = terminal.lines
    assert "?" not in "".join(lines)
    frame = next(line for line in lines if "+---" in line)
    assert frame.endswith("---+")
    title = next(line for line in lines if "... train" in line)
    assert "o validation" in title


@pytest.mark.parametrize(("arguments", "variables"), [([], {"NO_COLOR": "1"}), (["--no-color"], {})])
def test_colour_can_be_refused_in_a_terminal(tmp_path, arguments, variables):
    with Terminal(80, *training("run"), *arguments, cwd=tmp_path, **variables) as terminal:
        assert terminal.finish() == 0
        assert not COLOURS.search(terminal.text)


def test_a_terminal_has_colour_and_a_bar(tmp_path):
    with Terminal(80, *training("run", "train.epochs=300"), cwd=tmp_path) as terminal:
        assert terminal.finish() == 0
        assert COLOURS.search(terminal.text)
        assert "images/s" in terminal.text
        assert "━" in terminal.text


def test_results_go_to_a_file_plain_while_the_epochs_stay_in_the_terminal(tmp_path):
    with (
        (tmp_path / "results.txt").open("wb") as results,
        Terminal(80, *training("run"), cwd=tmp_path, stdout=results) as terminal,
    ):
        assert terminal.finish() == 0
        assert len([line for line in terminal.lines if ROW.match(line)]) == 12
        assert "accuracy   " not in terminal.text
    text = (tmp_path / "results.txt").read_text()
    assert "\x1b" not in text
    assert not any(ROW.match(line) for line in text.splitlines())
    assert "val accuracy" in text


def test_without_a_terminal_nothing_moves_and_each_epoch_is_one_plain_line(tmp_path):
    exit_code, screen, errors = cnnbp(*training("run"), cwd=tmp_path, COLUMNS="40")
    assert exit_code == 0
    assert "\x1b" not in screen + errors
    assert "\r" not in screen + errors
    assert [line.split()[1] for line in errors.splitlines() if line.startswith("epoch ")] == [
        f"{epoch}/12" for epoch in range(1, 13)
    ]


def test_json_leaves_nothing_else_on_stdout_and_quiet_nothing_on_stderr(tmp_path):
    exit_code, screen, errors = cnnbp(*training("run", "--json", "-q"), cwd=tmp_path)
    assert (exit_code, errors) == (0, "")
    assert json.loads(screen)["status"] == "finished"


def test_ctrl_c_is_answered_at_once_saves_and_says_how_to_go_on(tmp_path):
    with Terminal(80, *training("run", "train.epochs=100000"), cwd=tmp_path) as terminal:
        terminal.read_until(b"3/100000")
        terminal.type(b"\x03")
        assert terminal.finish() == 130
        lines = terminal.lines
    assert sum(line.startswith("interrupted: finishing this batch") for line in lines) == 1
    assert not any("━━" in line for line in lines)  # no bar is left
    assert "Traceback" not in terminal.text
    assert next(line for line in lines if line.startswith("next ")).startswith("next  cnnbp train --resume run")
    assert json.loads((tmp_path / "run/summary.json").read_text())["status"] == "interrupted"


def test_hostile_class_names_are_shown_on_one_line_and_do_not_act(tmp_path):
    image_folder(tmp_path / "images")
    (tmp_path / "images/z").rename(tmp_path / "images/日本\x1b[2J")
    (tmp_path / "c.yaml").write_text(CONFIG)
    with Terminal(80, "train", "c.yaml", "--no-plots", cwd=tmp_path) as terminal:
        assert terminal.finish() == 0
        assert "\x1b[2J" not in terminal.text
        lines = terminal.lines
    assert lines[0] == r"classes  3: [red], grün\nblau, 日本\x1b[2J"
    start = next(index for index, line in enumerate(lines) if line.startswith("true \\"))
    table = list(takewhile(str.strip, lines[start:]))
    assert len(table) == 5
    assert len({cell_len(line) for line in table}) == 1


def test_a_reader_that_leaves_ends_training_quietly(tmp_path):
    command = [*COMMAND, *map(str, training("run", "-q"))]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) < 0
