"""The page's few lines of Python that make the network's input of an image file: exactly what training saw."""

import re

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from cnnbp.data.decode import ImageFormat, read_image
from docs.documents import ROOT
from tests.cli.command import cnnbp
from tests.cli.runs import document
from tests.data.images import noise, save

CONFIG = """
input: {channels: 3, height: 12, width: 10}
data: {path: images, normalize: auto}
layers: [{conv2d: {filters: 4, kernel: 3}}, relu, flatten, {dense: {units: 2}}]
loss: cross_entropy
train: {epochs: 1, batch_size: 4}
"""


@pytest.fixture(scope="module")
def pixels():
    [block] = re.findall(r"^>>> import numpy as np\n(?:>>> .*\n)?>>> def pixels.*?(?=^>>> pixels)", page(), re.M | re.S)
    names = {}
    exec(re.sub(r"^(>>>|\.\.\.) ?", "", block, flags=re.M), names)
    return names["pixels"]


def page():
    text = (ROOT / "docs/files.md").read_text()
    return text[text.index(">>> import numpy as np\n>>> from PIL") :]


def pictures(folder):
    """Save an image of each kind."""
    exif = Image.Exif()
    exif[274] = 6
    palette = Image.fromarray(noise(9, 14, 3, seed=4)).quantize(16)
    grey16 = np.random.default_rng(5).integers(0, 1 << 16, (20, 17)).astype(np.uint16)
    return [
        save(folder / "photo.jpg", noise(300, 200, 3), exif=exif, quality=90),
        save(folder / "grey.png", noise(12, 10, seed=1)),
        save(folder / "colour.png", noise(25, 31, 3, seed=2)),
        save(folder / "alpha.png", noise(25, 31, 4, seed=3)),
        save(folder / "palette.png", palette),
        save(folder / "grey16.png", grey16),
        save(folder / "bits.png", Image.fromarray(noise(30, 30, seed=6) > 99)),
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pixels_are_those_that_training_sees(pixels, tmp_path, channels):
    for path in pictures(tmp_path):
        expected = read_image(path, ImageFormat(channels, 12, 10)).pixels
        np.testing.assert_array_equal(pixels(path, channels, 12, 10)[0], np.float32(expected) / 255, err_msg=path.name)


def test_the_exported_network_gives_what_predict_says(pixels, tmp_path):
    for number in range(12):
        save(tmp_path / "images" / "ab"[number % 2] / f"{number}.png", noise(12, 10, 3, seed=number))
    (tmp_path / "c.yaml").write_text(CONFIG)
    for command in (
        ("train", "c.yaml", "--run", "run", "--no-plots"),
        ("export", "run", "--to", "onnx", "-o", "a.onnx"),
    ):
        assert cnnbp(*command, cwd=tmp_path)[0] == 0
    paths = pictures(tmp_path / "more")
    x = np.concatenate([pixels(path, 3, 12, 10) for path in paths])
    [logits] = onnxruntime.InferenceSession(str(tmp_path / "a.onnx")).run(None, {"pixels": x})
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = document("predict", "run", *paths, "--top", 2, cwd=tmp_path)["predictions"]
    for prediction, share in zip(found, shares, strict=True):
        told = {guess["class"]: guess["probability"] for guess in prediction["top"]}
        np.testing.assert_allclose([told["a"], told["b"]], share, atol=1e-6)
