import numpy as np
import pytest
from PIL import Image

from cnnbp.errors import CheckpointError
from cnnbp.inspect.examine import inspect_batch
from cnnbp.inspect.images import Images
from cnnbp.inspect.record import Model
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, ReLU, Residual
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from cnnbp.optimizers import SGD
from cnnbp.report.maps import save_maps


def inspection():
    block = Residual(layers=[Conv2d(filters=2, kernel=3, pad="same"), BatchNorm()])
    network = Network((3, 6, 6), [Conv2d(filters=2, kernel=1), block, ReLU(), Flatten(), Dense(units=2)])
    model = Model(network, CrossEntropy(), network.initial_parameters(0), network.initial_state())
    x = np.random.default_rng(0).normal(size=(3, 6, 6, 2))
    return inspect_batch(model, Images(x, np.array([0, 1]), ["$a^", "b"], ["$", "[red]"], [1, 1], "here"), SGD())


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_maps_gradients_filters_and_where_it_looks_are_drawn_under_any_name(tmp_path, suffix):
    files = save_maps(inspection(), 0, 1, tmp_path / "new" / "folder", suffix)
    names = {path.name.removesuffix(suffix) for path in files}
    maps = {"Z1", "Z2", "N2", "R2", "A1"} & names
    assert {"Z1", "Z2", "dL-dZ1", "dL-dX", "W1", "W2", "saliency", "grad-cam"} <= names
    assert {f"dL-d{name}" for name in maps} <= names
    assert not {"f", "dL-df", "dL-dW1"} & names
    for path in files:
        if suffix == ".svg":
            assert path.read_text("utf-8").startswith("<?xml")
        else:
            with Image.open(path) as picture:
                assert len(picture.convert("RGB").getcolors(1 << 24)) > 3


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write into"):
        save_maps(inspection(), 0, 0, tmp_path / "file", ".png")
