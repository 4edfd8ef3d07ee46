"""`cnnbp init`: what it writes runs."""

from tests.cli.command import cnnbp


def test_without_a_folder_what_is_written_trains(tmp_path):
    code, _, told = cnnbp("init", cwd=tmp_path)
    assert code == 0
    assert told.splitlines() == [
        "wrote 1,797 images into datasets/digits, to try it on",
        "wrote cnnbp.yaml; next: cnnbp train cnnbp.yaml",
        "for images of your own: cnnbp init FILE --data FOLDER",
    ]
    code, screen, _ = cnnbp("train", "cnnbp.yaml", "train.epochs=1", "--no-plots", cwd=tmp_path)
    assert code == 0
    assert "359 test" in screen


def test_an_example_trains_where_it_was_written(tmp_path):
    code, _, told = cnnbp("init", "my folder", "--example", "lecture", cwd=tmp_path)
    assert (code, told.splitlines()[-1]) == (
        0,
        "wrote my folder/configs/lecture.yaml; next: cnnbp train 'my folder/configs/lecture.yaml'",
    )
    assert cnnbp("train", "my folder/configs/lecture.yaml", "--dry-run", cwd=tmp_path)[0] == 0


def test_an_example_without_images_asks_for_some(tmp_path):
    assert cnnbp("init", "--example", "vgg", cwd=tmp_path)[2].endswith("cnnbp train configs/vgg.yaml FOLDER\n")


def test_what_does_not_go_together_or_is_there_is_refused(tmp_path):
    assert cnnbp("init", "--example", "vgg", "--data", "x", cwd=tmp_path)[0] == 2
    assert cnnbp("init", "--example", "vvg", cwd=tmp_path)[0] == 2
    (tmp_path / "cnnbp.yaml").touch()
    code, _, told = cnnbp("init", cwd=tmp_path)
    assert (code, "exists already" in told) == (2, True)
    assert not (tmp_path / "datasets").exists()
