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


def test_the_backend_of_a_notebook_does_not_matter(tmp_path):
    code, _, err = cnnbp("train", LECTURE, "train.epochs=2", cwd=tmp_path, MPLBACKEND="module://not.there")
    assert code == 0, err
    assert "warning" not in err
    assert (tmp_path / "runs/lecture/curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_drawn_costs_neither_the_result_nor_another_picture(tmp_path):
    assert cnnbp("train", LECTURE, "train.epochs=1", "--no-plots", cwd=tmp_path)[0] == 0
    run = tmp_path / "runs/lecture"
    (run / "curves.png").mkdir()
    code, out, err = cnnbp("train", "--resume", run, "train.epochs=2", cwd=tmp_path)
    assert code == 0, err
    assert "val accuracy" in out
    assert json.loads((run / "summary.json").read_text())["epochs"] == 2
    assert "warning: curves.png could not be drawn: cannot write" in err
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")


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
