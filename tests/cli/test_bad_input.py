"""What a user sees for each thing that is easily got wrong: what, where, what to do; an exit code and no traceback."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.command import ROOT, cnnbp, environment

LECTURE = (ROOT / "configs" / "lecture.yaml").read_text()
BOMB = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))


def changed(*replacements):
    text = LECTURE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


CONFIGURATIONS = {
    "unknown key": (
        changed(("filters: 1", "filter: 1")), ['unknown option "filter" for conv2d', 'did you mean "filters"?']
    ),
    "wrong type": (changed(("epochs: 30", "epochs: many")), ["epochs", "many"]),
    "three errors at once": (
        changed(("filters: 1", "filters: 0"), ("- relu", "- rleu"), ("batch_size: 16", "batch_size: 1.5")),
        ["filters", 'did you mean "relu"?', "batch_size"],
    ),
    "duplicate key": (changed(("loss:", "seed: 1\nloss:")), ['duplicate key "seed"']),
    "merge-key bomb": (BOMB, ["merge keys (<<) are not allowed", "more than 20000 values"]),
    "kernel larger than its input": (changed(("kernel: 3", "kernel: 7")), ["conv1", "7×7", "1×6×6", "⌊"]),
    "wrong last layer": (changed(("units: 1}", "units: 3}")), ["binary_cross_entropy", "needs 1 output", "3"]),
    "sigmoid before the loss": (
        changed(("loss: binary", "  - sigmoid\nloss: binary")), ["sigmoid", "binary_cross_entropy", "logits"]
    ),
}  # fmt: skip


def refused(result, code, expected):
    found, stdout, stderr = result
    assert (found, stdout) == (code, ""), stderr
    assert "Traceback" not in stderr
    assert stderr.startswith("error: ")
    for text in expected:
        assert text in stderr


@pytest.mark.parametrize("what", CONFIGURATIONS)
def test_a_wrong_configuration_is_shown_at_its_place(what, tmp_path):
    text, expected = CONFIGURATIONS[what]
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    result = cnnbp("shapes", path)
    refused(result, 2, expected)
    places = re.findall(r"^ +--> .*wrong\.yaml:\d+:\d+$", result[2], re.MULTILINE)
    assert len(places) == {"three errors at once": 3, "merge-key bomb": 2}.get(what, 1)


@pytest.mark.parametrize("override", ["train.epoch=3", "layers.0.filter=2", "learning_rate=1"])
def test_an_override_of_an_unknown_key_is_named(override):
    refused(cnnbp("shapes", "configs/lecture.yaml", override), 2, [override.partition("=")[0].rpartition(".")[2]])


def test_a_missing_folder_is_named(tmp_path):
    refused(cnnbp("train", "configs/lecture.yaml", tmp_path / "nowhere", cwd=ROOT), 3, ["nowhere"])


def test_a_class_without_images_is_named(tmp_path):
    for name in ("horizontal", "vertical"):
        (tmp_path / "images" / name).mkdir(parents=True)
    image = next((ROOT / "datasets" / "strokes").rglob("*.png"))
    (tmp_path / "images" / "vertical" / "x.png").write_bytes(image.read_bytes())
    refused(cnnbp("train", ROOT / "configs" / "lecture.yaml", tmp_path / "images", cwd=tmp_path), 3, ["horizontal"])


LONG = "n" * 300
IMPOSSIBLE = [
    ["shapes", LONG],
    ["train", LONG],
    ["train", "c.yaml", LONG],
    ["train", "c.yaml", "--run", LONG],
    ["train", "c.yaml", "--run", f"runs/{LONG}/run"],
    ["train", "--resume", LONG],
    ["gradcheck", LONG],
    ["gradcheck", "c.yaml", LONG],
    ["gradcheck", "c.yaml", "--plot", LONG],
    ["grads", LONG],
    ["grads", f"{LONG}.npz"],
    ["grads", "c.yaml", LONG],
    ["grads", "c.yaml", "--save", f"{LONG}.npz"],
    ["bench", LONG],
    ["evaluate", LONG],
    ["predict", LONG, "image.png"],
    ["export", LONG, "--to", "npz"],
    ["data", LONG],
    ["init", LONG],
    ["init", "new.yaml", "--data", LONG],
]


def test_a_name_that_is_too_long_is_an_error_wherever_one_is_taken(tmp_path):
    (tmp_path / "c.yaml").write_text(changed(("../datasets", str(ROOT / "datasets"))))
    for arguments in IMPOSSIBLE:
        code, _, errors = cnnbp(*arguments, cwd=tmp_path)
        assert code in (2, 3), arguments
        assert errors.splitlines()[-1].startswith("error: "), (arguments, errors)
        assert "File name too long" in errors, arguments
    assert {path.name for path in tmp_path.iterdir()} <= {"c.yaml", "runs"}


def test_what_was_written_is_told_without_what_a_terminal_would_act_on(tmp_path):
    (tmp_path / "c.yaml").write_text(changed(("../datasets", str(ROOT / "datasets"))))
    for arguments in (["init", "\x1b[31m.yaml"], ["gradcheck", "c.yaml", "--entries=1", "--plot", "\x1b[31m.png"]):
        code, _, errors = cnnbp(*arguments, cwd=tmp_path)
        assert code == 0, errors
        assert "wrote \\x1b[31m." in errors
        assert "\x1b" not in errors


AS_NOBODY = """
import codecs, os, sys
import cnnbp.cli.train, cnnbp.cli.export, cnnbp.cli.grads, cnnbp.cli.gradcheck, PIL.Image
PIL.Image.init()
codecs.lookup("utf-8-sig")
from cnnbp.cli import main
os.setuid(65534)
for arguments in sys.argv[1:]:
    if os.fork() == 0:
        sys.argv = ["cnnbp", *arguments.split()]
        main()
    print(arguments, os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def test_a_place_that_must_not_be_looked_into_is_an_error_wherever_one_is_taken(tmp_path):
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become a user who may not read")
    expected = {
        "train c.yaml --run secret/x": 3,
        "train --resume secret/x": 3,
        "train c.yaml data.path=secret/x": 3,
        "grads secret/x": 3,
        "gradcheck secret/x.npz": 3,
        "export secret/x --to npz": 3,
    }
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "secret").mkdir(mode=0)
        Path(name).chmod(0o755)
        (Path(name) / "c.yaml").write_text(LECTURE)
        command = [sys.executable, "-c", AS_NOBODY, *expected]
        result = subprocess.run(command, capture_output=True, text=True, cwd=name, env=environment(), timeout=60)
    assert result.stdout.splitlines() == [f"{arguments} {code}" for arguments, code in expected.items()]
    assert "Traceback" not in result.stderr
    assert len(re.findall(r"^error: .*secret.*Permission denied$", result.stderr, re.MULTILINE)) == len(expected)
