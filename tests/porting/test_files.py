"""References as files, and other programs' tensors."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file

from cnnbp.errors import CheckpointError, ConfigError, DataError
from cnnbp.porting.files import load_tensors, save_reference
from tests.porting.references import NORMED, PLAIN, read_back, reference


def test_an_npz_and_a_safetensors_file_hold_the_same(tmp_path):
    found = reference(NORMED, dropout=True)
    save_reference(tmp_path / "r.npz", found)
    save_reference(tmp_path / "r.safetensors", found)
    description, arrays = read_back(tmp_path / "r.npz")
    others = load_file(tmp_path / "r.safetensors")
    assert arrays.keys() == others.keys() == found.arrays.keys() == description["tensors"].keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])
        assert (array.dtype, array.shape) == (others[name].dtype, others[name].shape)
    header = (tmp_path / "r.safetensors").read_bytes()
    metadata = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]
    assert json.loads(metadata["cnnbp"]) == description


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("pipe.npz", "pipe.safetensors", "folder/X.npy"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zeros.npz").symlink_to("/dev/zero")
    for name in ("pipe.npz", "pipe.safetensors", "folder", "zeros.npz"):
        with pytest.raises(DataError, match="it is no regular file"):
            load_tensors(tmp_path / name)


def test_equal_batches_give_equal_bytes(tmp_path):
    for name in ("a.npz", "b.npz", "a.safetensors", "b.safetensors"):
        save_reference(tmp_path / name, reference(PLAIN))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_another_suffix_is_refused_and_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"r\.pt.*\.npz or \.safetensors"):
        save_reference(tmp_path / "r.pt", reference(PLAIN))
    with pytest.raises(CheckpointError, match="cannot write"):
        save_reference(tmp_path / "nowhere" / "r.npz", reference(PLAIN))
    assert not list(tmp_path.iterdir())
