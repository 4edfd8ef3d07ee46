import json

import numpy as np
import pytest

from cnnbp.config import parse_config
from cnnbp.errors import DataError
from cnnbp.inspect.images import folder_images
from tests.data.images import noise_folder


def config(root, normalize):
    layers = ["flatten", {"dense": {"units": 2}}]
    data = {"path": str(root), "normalize": normalize}
    values = {"input": {"channels": 1, "height": 4, "width": 4}, "data": data, "layers": layers}
    return parse_config(json.dumps(values | {"loss": "cross_entropy"}), "net.yaml")


@pytest.mark.parametrize("normalize", ["auto", {"mean": 0.5, "std": 0.5}])
def test_an_image_that_cannot_be_read_is_left_out_of_a_batch_and_named(tmp_path, normalize):
    noise_folder(tmp_path)
    (tmp_path / "a" / "2.png").write_bytes(b"not an image")
    images = folder_images(config(tmp_path, normalize), 10)
    assert [image.name for image in images.bad] == ["a/2.png"]
    assert "a/2.png" not in images.names
    assert images.x.shape == (1, 4, 4, 9)


def test_a_batch_none_of_whose_images_can_be_read_is_an_error(tmp_path):
    noise_folder(tmp_path)
    for path in tmp_path.glob("*/*.png"):
        path.write_bytes(b"not an image")
    with pytest.raises(DataError, match="none of the 3 images drawn"):
        folder_images(config(tmp_path, {"mean": 0.5, "std": 0.5}), 3)


def test_the_classes_take_turns_in_a_batch(tmp_path):
    noise_folder(tmp_path)
    assert np.bincount(folder_images(config(tmp_path, "auto"), 4).labels).tolist() == [2, 2]
