"""What holds for every verb."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cnnbp import __version__
from cnnbp.cli.verbs import VERBS, load_verb
from tests.cli.command import COMMAND, ROOT, cnnbp, environment

LECTURE = ROOT / "configs/lecture.yaml"


def test_help_lists_every_verb_and_imports_nothing_heavy():
    code = "import sys; from cnnbp.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    screen, modules = result.stdout.rstrip().rsplit("\n", 1)
    for name, verb in VERBS.items():
        assert name in screen
        assert verb.line.split()[0] in screen
        assert f"─ {verb.panel} ─" in screen
    assert not {"numpy", "pydantic", "yaml", "PIL", "matplotlib"} & set(modules.split())


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_takes_the_common_options(name):
    options = {option for parameter in load_verb(name).params for option in parameter.opts}
    assert {"--json", "-q", "--seed", "--threads", "--no-color"} <= options


@pytest.mark.parametrize("name", VERBS)
def test_the_examples_in_a_verbs_help_are_what_it_takes(name):
    command, screen = load_verb(name), cnnbp(name, "--help", COLUMNS="120")[1]
    for example in VERBS[name].examples:
        assert example in screen
        start, *arguments = shlex.split(example.partition("cnnbp ")[2].partition(" >")[0])
        assert start == name
        command.make_context(name, arguments)  # raises for an option or an argument that there is not


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["shapes", "-h"], ["shapes", "--help"]])
def test_help_has_two_spellings(arguments):
    exit_code, screen, errors = cnnbp(*arguments)
    assert (exit_code, errors) == (0, "")
    assert "Usage: cnnbp" in screen


def test_the_version_is_the_packages():
    assert cnnbp("--version") == (0, f"cnnbp {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [["shape"], ["shapes"], ["shapes", "--nonsense"], ["shapes", LECTURE, "--batch=0"]]
)
def test_a_usage_error_exits_with_2_and_leaves_stdout_alone(arguments):
    exit_code, screen, errors = cnnbp(*arguments)
    assert (exit_code, screen) == (2, "")
    assert "Traceback" not in errors


def test_a_mistyped_verb_is_answered_with_the_one_that_was_meant():
    assert "shapes" in cnnbp("shape")[2]


def test_a_users_mistake_is_one_message_without_a_traceback(tmp_path):
    exit_code, screen, errors = cnnbp("shapes", tmp_path / "missing.yaml", "--json")
    assert (exit_code, screen) == (2, "")
    assert errors.startswith("error: ")
    assert "missing.yaml" in errors
    assert "Traceback" not in errors


def test_all_problems_of_a_config_are_shown_each_as_an_error(tmp_path):
    text = LECTURE.read_text().replace("filters: 1", "filter: 1").replace("units: 1", "units: none")
    (tmp_path / "c.yaml").write_text(text)
    exit_code, _, errors = cnnbp("shapes", "c.yaml", cwd=tmp_path)
    assert exit_code == 2
    assert sum(line.startswith("error: ") for line in errors.splitlines()) >= 2


def test_a_reader_that_leaves_ends_the_command_quietly():
    with subprocess.Popen(
        [*COMMAND, "schema"], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.wait(60) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_ctrl_c_exits_with_130_and_without_a_traceback(tmp_path):
    pipe = tmp_path / "slow.yaml"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)  # one that never writes
    with subprocess.Popen([*COMMAND, "shapes", pipe], cwd=ROOT, env=environment(), stderr=subprocess.PIPE) as process:
        try:
            _wait_until_read(pipe, process.pid)
            assert _interrupted(process) == 130
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()
            os.close(writer)


def test_ctrl_c_while_modules_are_imported_ends_the_process_without_a_word():
    program = """
import signal, sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == sys.argv[0]:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from cnnbp.__main__ import main
sys.argv = [sys.argv[1], "shapes", "missing.yaml"]
main()
"""
    for module in ("cnnbp.cli", "typer", "cnnbp.config", "numpy"):
        command = [sys.executable, "-c", program.replace("sys.argv[0]", repr(module)).replace("sys.argv[1]", "'cnnbp'")]
        result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
        assert (result.returncode, result.stderr) == (-signal.SIGINT, "")


def _interrupted(process):
    """Press Ctrl-C until it is heard: one between two system calls is noticed only after the second, which blocks."""
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(10)
    raise TimeoutError(process.args)


def _wait_until_read(pipe, pid):
    for _ in range(600):
        if any(file.is_symlink() and file.readlink() == pipe for file in Path(f"/proc/{pid}/fd").iterdir()):
            return
        time.sleep(0.1)
    raise TimeoutError(pipe)


def test_what_an_ascii_terminal_does_not_have_is_written_with_what_it_has():
    exit_code, screen, _ = cnnbp("shapes", LECTURE, "--backward", PYTHONIOENCODING="ascii")
    assert exit_code == 0
    assert screen.isascii()
    assert "1x4x4xM" in screen
    assert "dL/dW1" in screen


def test_a_table_is_not_cut_in_a_pipe(tmp_path):
    name = "long" * 16  # as long as a name may be
    (tmp_path / "c.yaml").write_text(LECTURE.read_text().replace("name: conv1", f"name: {name}"))
    exit_code, screen, _ = cnnbp("shapes", "c.yaml", cwd=tmp_path)
    assert exit_code == 0
    assert name in screen


def test_what_looks_like_markup_is_shown_as_it_is_spelled():
    assert "'[red]x[/red]'" in cnnbp("shapes", LECTURE, "[red]x[/red]")[2]


def test_color_can_be_refused():
    assert "\x1b[1;31m" in cnnbp("shapes", "missing", FORCE_COLOR="1")[2]
    for refusal in ({"NO_COLOR": "1"}, {}):
        arguments = ["shapes", "missing"] if refusal else ["shapes", "missing", "--no-color"]
        assert "31m" not in cnnbp(*arguments, FORCE_COLOR="1", **refusal)[2]


def test_json_is_one_document_and_nothing_else():
    exit_code, document, errors = cnnbp("shapes", LECTURE, "--json", "-q", "--batch", 3)
    assert (exit_code, errors) == (0, "")
    assert json.loads(document)["batch"] == 3


def test_a_thread_that_the_system_refuses_is_an_error_and_no_bug():
    code = """
import threading
import cnnbp.cli.gradcheck
def refuse(*rest, **more):
    raise RuntimeError("can't start new thread")
threading._start_new_thread = threading._start_joinable_thread = refuse
from cnnbp.cli import main
main()
"""
    command = [sys.executable, "-c", code, "gradcheck", LECTURE, "--entries", "2", "--threads", "2"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2, result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: the system refuses one more thread: --threads 1")
    assert "Traceback" not in result.stderr


def test_a_bug_keeps_its_traceback():
    code = "import cnnbp.cli.schema as s; s.json_schema = lambda code: 1 / 0; from cnnbp.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code, "schema"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr
