"""`cnnbp import` as a user runs it."""

import json

from tests.cli.command import ROOT, cnnbp
from tests.data.imports.made import CLASSES, cifar_records, folders, mnist, tar, zipped


def test_mnists_files_become_a_folder_that_trains(tmp_path):
    files, _ = mnist(tmp_path)
    code, out, err = cnnbp("import", *files, "mnist", cwd=tmp_path)
    assert code == 0, err
    assert out.splitlines() == [
        "wrote    mnist",
        "classes  3: 0, 1, 2",
        "images   12 train, 5 test",
        "next     cnnbp data mnist",
    ]
    assert cnnbp("data", "mnist", cwd=tmp_path)[0] == 0
    assert cnnbp("init", "net.yaml", "--data", "mnist", cwd=tmp_path)[0] == 0
    assert cnnbp("train", "net.yaml", "train.epochs=1", "--no-plots", cwd=tmp_path)[0] == 0


def test_the_residual_network_takes_what_cifar_10s_archive_becomes(tmp_path):
    batches = [(f"cifar/{name}.bin", cifar_records(20, range(10))[0]) for name in ("data_batch_1", "test_batch")]
    names = ("cifar/batches.meta.txt", "\n".join(CLASSES).encode())
    tar(tmp_path / "cifar-10-binary.tar.gz", [*batches, names])
    code, out, err = cnnbp("import", "cifar-10-binary.tar.gz", "cifar", "--json", cwd=tmp_path)
    assert code == 0, err
    assert json.loads(out) == {
        "folder": "cifar",
        "classes": [*CLASSES],
        "splits": {"train": 20, "test": 20},
        "skipped": {},
    }
    code, _, err = cnnbp("train", ROOT / "configs/residual.yaml", "cifar", "--dry-run", cwd=tmp_path)
    assert code == 0, err


def test_what_is_refused_is_told_in_a_line_with_exit_code_3(tmp_path):
    zipped(tmp_path / "evil.zip", [*folders("a/1.png"), ("../evil.png", b"")])
    code, out, err = cnnbp("import", "evil.zip", "made", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert err == "error: cannot import 'evil.zip': the path '../evil.png' leads out of it\n"
    assert [path.name for path in tmp_path.iterdir()] == ["evil.zip"]


def test_a_folder_to_make_and_fitting_names_are_needed(tmp_path):
    zipped(tmp_path / "a.zip", folders("a/1.png", "b/1.png"))
    code, _, err = cnnbp("import", "a.zip", cwd=tmp_path)
    assert code == 2
    assert "two things are needed, FILE… and DIR, and there is only 'a.zip'" in err
    files, _ = mnist(tmp_path)
    code, _, err = cnnbp("import", *files, "made", "--classes", "a,b", cwd=tmp_path)
    assert (code, err) == (2, "error: --classes names 2, and there is a label 2\n")


def test_a_folder_called_import_is_still_one_to_look_at(tmp_path):
    zipped(tmp_path / "a.zip", folders("a/1.png", "b/1.png"))
    assert cnnbp("import", "a.zip", "import", cwd=tmp_path)[0] == 0
    code, out, err = cnnbp("data", "import", cwd=tmp_path)
    assert code == 0, err
    assert "images" in out
