"""What `cnnbp train` is given and gives back, beside its screen and its run directory."""

import json

from tests.cli.command import ROOT, cnnbp

LECTURE = ROOT / "configs" / "lecture.yaml"


def test_without_a_configuration_it_says_what_to_type():
    code, out, err = cnnbp("train")
    assert (code, out) == (2, "")
    assert "a configuration is missing: cnnbp train CONFIG" in err


def test_its_summary_is_one_json_document(tmp_path):
    code, out, err = cnnbp("train", LECTURE, "train.epochs=2", "--json", "--no-plots", cwd=tmp_path)
    assert code == 0, err
    assert (json.loads(out)["status"], json.loads(out)["epochs"]) == ("finished", 2)


def test_gradients_are_shown_every_so_many_epochs(tmp_path):
    code, out, err = cnnbp("train", LECTURE, "train.epochs=5", "--grads", "2", "--no-plots", cwd=tmp_path)
    assert code == 0, err
    assert [out.count(f"Batch gradients, epoch {epoch}") for epoch in range(1, 6)] == [0, 1, 0, 1, 0]
    seeded = [cnnbp("grads", "runs/lecture", "--seed", seed, "--json", cwd=tmp_path) for seed in (1, 2)]
    assert [code for code, _, _ in seeded] == [0, 0]
    assert seeded[0][1] != seeded[1][1]
    code, _, err = cnnbp("gradcheck", "runs/lecture", "train.epochs=3", cwd=tmp_path)
    assert code == 2
    assert "a run keeps its configuration: 'train.epochs=3' cannot change it" in err
