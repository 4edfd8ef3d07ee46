"""`cnnbp gradcheck --break` and `--self-test`, as a user runs them."""

import json

import pytest

from cnnbp.config import load_config
from cnnbp.gradcheck import Training
from cnnbp.gradcheck.bugs import fitting_bugs
from tests.cli.command import ROOT, cnnbp

LECTURE = "configs/lecture.yaml"


def test_a_planted_bug_ends_with_1_and_blames_its_layer():
    code, out, err = cnnbp("gradcheck", LECTURE, "--break", "conv1:dX-unflipped")
    assert (code, "Traceback" in err) == (1, False)
    assert "FAIL  conv1" in out


def test_a_planted_bug_is_blamed_in_json():
    code, out, _ = cnnbp("gradcheck", LECTURE, "--break", "loss:no-1/M", "--json", "-q")
    document = json.loads(out)
    assert (code, document["verdict"], document["blame"]) == (1, "fail", ["loss"])


def test_the_list_names_every_bug_that_fits_with_its_story():
    config = load_config(ROOT / LECTURE)
    bugs = fitting_bugs(config.network, config.loss, Training.of(config.network, config.train.batch_size))
    code, out, err = cnnbp("gradcheck", LECTURE, "--break", "list")
    assert (code, err) == (0, "")
    for bug in bugs:
        assert any(line.startswith(f"{bug.spelling} ") and bug.story in line for line in out.splitlines())
    code, out, _ = cnnbp("gradcheck", LECTURE, "--break", "list", "--json")
    assert [entry["bug"] for entry in json.loads(out)] == [bug.bug for bug in bugs]


def test_a_picture_is_written_and_said(tmp_path):
    picture = tmp_path / "check.png"
    code, _, err = cnnbp("gradcheck", LECTURE, "--break", "conv1:dW-flipped", "--plot", picture)
    assert code == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {picture}" in err
    code, out, err = cnnbp("gradcheck", LECTURE, "--plot", tmp_path / "nowhere" / "check.png")
    assert code == 3
    assert "PASS" in out  # a picture that cannot be written does not cost the result
    assert "cannot write" in err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ((LECTURE, "--break", "conv1:dX-unfliped"), 'did you mean "dX-unflipped"?'),
        ((LECTURE, "--break", "con1:dX-unflipped"), 'did you mean "conv1"?'),
        (("--self-test", LECTURE), "takes neither CONFIG nor --break"),
        (("--self-test", "--break", "list"), "takes neither CONFIG nor --break"),
        ((), "needs a CONFIG or a RUN"),
    ],
)
def test_a_wrong_request_ends_with_2_and_says_what_would_do(arguments, hint):
    code, out, err = cnnbp("gradcheck", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert hint in err


SMALL = """\
seed: 0
input: {channels: 1, height: 6, width: 7}
layers: [{conv2d: {filters: 2, kernel: 3}}, batchnorm, relu, flatten, {dense: {units: 3}}]
loss: cross_entropy
"""


@pytest.mark.parametrize(
    ("bug", "hint"),
    [("batchnorm1:eps-dropped", "e is missing from 1/v(s2 + e)"), ("conv2d1:dX-unflipped", "turned by 180")],
)
def test_a_terminal_that_is_ascii_only_gets_every_hint_in_ascii(tmp_path, bug, hint):
    (tmp_path / "small.yaml").write_text(SMALL)
    code, out, _ = cnnbp("gradcheck", tmp_path / "small.yaml", "--break", bug, "-q", PYTHONIOENCODING="ascii")
    assert code == 1
    assert "?" not in out
    assert hint in out
