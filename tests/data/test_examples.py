import pytest

from cnnbp.config import check_against_classes, load_config
from cnnbp.data.examples import ARCHIVE, EVERYTHING, IMAGES, write_example
from cnnbp.data.folder import scan_folder
from cnnbp.errors import ConfigError
from datasets.pack_examples import files, packed


def test_the_archive_is_what_lies_in_the_project():
    """Else: python -m datasets.pack_examples, which `make docs` runs too."""
    assert ARCHIVE.read_bytes() == packed(files())
    assert ARCHIVE.stat().st_size < 200_000


@pytest.mark.parametrize("name", IMAGES)
def test_an_example_is_a_configuration_with_its_images(tmp_path, name):
    written = write_example(name, tmp_path)
    config = load_config(written.config)
    assert (config.data.path if config.data else None) == (written.images.resolve() if written.images else None)
    if written.images:
        check_against_classes(config, scan_folder(written.images).classes)


def test_all_of_it_is_what_the_documents_use(tmp_path):
    write_example(EVERYTHING, tmp_path)
    for name, content in files():
        assert (tmp_path / name).read_bytes() == content


def test_what_is_there_stays_and_another_file_is_never_written_over(tmp_path):
    written = write_example("lecture", tmp_path)
    before = written.config.stat().st_mtime_ns
    write_example("lecture", tmp_path)
    assert written.config.stat().st_mtime_ns == before
    written.config.write_text("mine")
    next((tmp_path / "datasets").rglob("*.png")).unlink()
    with pytest.raises(ConfigError, match=r"lecture\.yaml' is there already, and another one"):
        write_example("lecture", tmp_path)
    assert len([*(tmp_path / "datasets").rglob("*.png")]) == 119


def test_a_misspelled_example_and_a_folder_that_is_none_are_errors(tmp_path):
    with pytest.raises(ConfigError, match=r'no example .lectrue.: did you mean "lecture"'):
        write_example("lectrue", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write"):
        write_example("lecture", tmp_path / "file")
