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
    assert [out.count(f"\n{line}  ") for line in ("noise scale", "agreement", "curvature")] == [2, 2, 2]
    seeded = [cnnbp("grads", "runs/lecture", "--seed", seed, "--json", cwd=tmp_path) for seed in (1, 2)]
    assert [code for code, _, _ in seeded] == [0, 0]
    assert seeded[0][1] != seeded[1][1]
    code, _, err = cnnbp("gradcheck", "runs/lecture", "train.epochs=3", cwd=tmp_path)
    assert code == 2
    assert "a run keeps its configuration: 'train.epochs=3' cannot change it" in err


DIGITS = ROOT / "configs" / "digits.yaml"


def test_it_compares_its_first_step_and_says_so_unless_it_is_told_not_to(tmp_path):
    code, out, err = cnnbp("train", DIGITS, "train.epochs=30", "--no-plots", "--run", tmp_path / "run", cwd=tmp_path)
    assert code == 0, err
    [line] = [line for line in out.splitlines() if line.startswith("first step")]
    check = json.loads((tmp_path / "run" / "summary.json").read_text())["check"]
    assert check["verdict"] == "pass"
    assert f"within {check['roundings']:.1f} of {check['allowed']:.0f} roundings ({check['worst']})" in line
    code, out, err = cnnbp("train", DIGITS, "train.epochs=1", "--no-check", "--no-plots", "--json", cwd=tmp_path)
    assert (code, json.loads(out)["check"]) == (0, None)


def test_a_run_on_the_layers_own_code_goes_on_only_with_it(tmp_path):
    run = tmp_path / "run"
    written = ("train.kernels=written", "train.epochs=1")
    code, out, err = cnnbp("train", DIGITS, *written, "--no-plots", "--run", run)
    assert code == 0, err
    assert "winograd" not in out
    code, _, err = cnnbp("train", "--resume", run, "train.epochs=2", "train.kernels=fast")
    assert code == 2
    assert "train.kernels: written → fast" in err
    assert cnnbp("train", "--resume", run, "train.epochs=2", "--no-plots")[0] == 0
