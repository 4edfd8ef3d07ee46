"""Standard streams that are closed, full, or left by their reader; letters and widths that a terminal does not have."""

import ast
import json
import os
import re
import signal
import subprocess

import pytest

from cnnbp.cli.streams import _PLAIN, forget_absurd_sizes
from tests.cli.command import COMMAND, ROOT, cnnbp, environment
from tests.training.runs import fingerprint, write_job

LECTURE = ROOT / "configs" / "lecture.yaml"
TWO_EPOCHS = ["train", LECTURE, "train.epochs=2", "--no-plots"]
BRAILLE = range(0x2800, 0x2900)


def shown_characters():
    """Yield what is not ASCII in the texts of what is shown, other than documentation."""
    for folder in ("report", "inspect", "cli", "training"):
        for file in sorted((ROOT / "cnnbp" / folder).glob("*.py")):
            tree = ast.parse(file.read_text())
            documentation = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                    yield from ((file.name, c) for c in node.value if not c.isascii() and ord(c) not in BRAILLE)


def test_every_character_that_is_shown_has_a_plain_one_that_looks_like_it():
    assert {(file, c) for file, c in shown_characters() if ord(c) not in _PLAIN} == set()


def shell(redirection, *arguments, cwd=ROOT):
    """Run `cnnbp` with its streams redirected by a shell."""
    line = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("arguments", [["shapes", LECTURE], ["schema"], ["--help"]])
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_results_that_cannot_be_written_are_an_error(arguments, redirection, reason):
    result = shell(redirection, *arguments)
    assert result.stderr == f"error: cannot write the results to stdout: {reason}\n"
    assert result.returncode == 3


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&- <&-"])
def test_training_does_not_end_for_want_of_a_place_to_show_its_progress(tmp_path, redirection):
    result = shell(redirection, *TWO_EPOCHS, "--run", "run", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "val accuracy" in result.stdout
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_an_error_that_cannot_be_told_keeps_its_exit_code(redirection):
    assert shell(redirection, "shapes", "missing.yaml").returncode == 2


def test_a_list_from_a_closed_stdin_is_an_empty_one(tmp_path):
    assert shell("", *TWO_EPOCHS, "--run", "run", cwd=tmp_path).returncode == 0
    result = shell("<&-", "predict", "run", "-", cwd=tmp_path)
    assert "Traceback" not in result.stderr


def test_training_whose_results_nobody_reads_any_more_saves_and_goes_on_to_the_same_bytes(tmp_path):
    config = write_job(tmp_path)
    assert cnnbp("train", config, "--run", "whole", "--no-plots", cwd=tmp_path)[0] == 0
    command = [*COMMAND, "train", config, "--run", "run", "--no-plots", "--grads", "3", "train.save_every=60"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*map(str, command)], cwd=tmp_path, env=environment(), **streams) as process:
        while "Batch gradients, epoch 3" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        assert process.wait(60) == -signal.SIGPIPE
        assert "Traceback" not in process.stderr.read()
    assert not (tmp_path / "run" / "summary.json").exists()
    code, out, err = cnnbp("train", "--resume", "run", "train.save_every=0.02", "--no-plots", cwd=tmp_path)
    assert code == 0, err
    assert re.search("going on after epoch [36] of 12", out), out
    assert fingerprint(tmp_path / "run") == fingerprint(tmp_path / "whole")


def test_a_pipe_that_does_not_block_gets_everything(tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen([*COMMAND, "schema"], cwd=ROOT, env=environment(), stdout=writing) as process:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            document = pipe.read()
        assert process.wait(60) == 0
    assert len(document) > 1 << 16, "it does not fill the pipe"
    assert "properties" in json.loads(document)


def test_a_pipe_to_another_process_that_breaks_is_an_exception():
    program = (
        "import os; from cnnbp.cli.streams import prepare_streams; prepare_streams()\n"
        "reading, writing = os.pipe(); os.close(reading)\n"
        "try: os.write(writing, b'task')\nexcept BrokenPipeError: print('told')"
    )
    command = [COMMAND[0], "-c", program]
    assert subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout == "told\n"


def test_a_width_that_no_terminal_has_counts_for_nothing(monkeypatch):
    assert cnnbp("shapes", LECTURE, COLUMNS="0", LINES="0", TERMINAL_WIDTH="many") == cnnbp("shapes", LECTURE)
    for columns in ("0", "-1", "²", "٣", "", "many", "9" * 20, "1", "140"):
        monkeypatch.setenv("COLUMNS", columns)
        forget_absurd_sizes()
        assert os.environ.get("COLUMNS") == (columns if columns in ("1", "140") else None)
