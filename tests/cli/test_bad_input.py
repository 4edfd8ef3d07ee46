"""What a user sees for each thing that is easily got wrong: what, where, what to do; an exit code and no traceback."""

import re

import pytest

from tests.cli.command import ROOT, cnnbp

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
