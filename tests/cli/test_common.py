from pathlib import Path

import pytest

from cnnbp.cli.common import Common, load_job, split_arguments
from cnnbp.errors import ConfigError
from tests.cli.command import ROOT

LECTURE = ROOT / "configs/lecture.yaml"


def test_what_has_a_key_and_an_equals_sign_is_an_override_and_the_other_is_data():
    assert split_arguments(["train.epochs=3", "images", "seed="]) == (Path("images"), ["train.epochs=3", "seed="])


@pytest.mark.parametrize("path", ["./a=b", "/tmp/a=b", "my-images=2", "2024=x", "=x"])
def test_an_equals_sign_in_a_path_does_not_make_it_an_override(path):
    assert split_arguments([path]) == (Path(path), [])


def test_nothing_behind_config_is_no_data_and_no_override():
    assert split_arguments(None) == (None, [])


def test_a_second_image_folder_is_refused_by_name():
    with pytest.raises(ConfigError, match="got 2: 'one', 'two'"):
        split_arguments(["one", "seed=1", "two"])


def test_data_replaces_the_configurations_folder(tmp_path):
    assert load_job(LECTURE, [str(tmp_path)], Common()).data.path == tmp_path


def test_the_seed_option_wins_over_the_file_and_over_an_override():
    assert load_job(LECTURE, ["seed=5"], Common()).seed == 5
    assert load_job(LECTURE, ["seed=5"], Common(seed=7)).seed == 7
