import numpy as np
import pytest
from PIL import Image

from cnnbp.config import check_against_classes, load_config, parse_config
from cnnbp.config.starter import starter_config
from cnnbp.data.folder import scan_folder
from cnnbp.errors import DataError
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy
from tests.config.training import trained


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes an image folder."""

    def make(size=(8, 8), mode="L", classes=("cat", "dog"), root=tmp_path / "images"):
        for name in classes:
            (root / name).mkdir(parents=True)
            for number in range(3):
                Image.new(mode, size, number).save(root / name / f"{number}.png")
        return root

    return make


def fitted(data, tmp_path):
    """Return the starter for a folder, read as a file that lies beside it."""
    file = tmp_path / "c.yaml"
    file.write_text(starter_config(data, file.parent))
    return load_config(file)


@pytest.mark.parametrize("classes", [("cat", "dog"), ("a", "b", "c"), tuple(f"class {n}" for n in range(120))])
def test_outputs_and_loss_suit_the_classes(folder, tmp_path, classes):
    config = fitted(folder(classes=classes), tmp_path)
    check_against_classes(config, classes)
    assert isinstance(config.loss, BinaryCrossEntropy if len(classes) == 2 else CrossEntropy)


@pytest.mark.parametrize(
    ("size", "height", "width"),  # size is (width, height), as Pillow has it
    [
        ((1, 1), 2, 2), ((6, 6), 6, 6), ((8, 8), 8, 8), ((28, 28), 28, 28), ((30, 30), 32, 32), ((32, 32), 32, 32),
        ((64, 64), 64, 64), ((440, 370), 56, 64), ((100, 1000), 64, 6), ((2000, 20), 2, 64), ((50, 37), 40, 48),
    ],
)  # fmt: skip
def test_the_input_is_near_the_images_size_and_at_most_64(folder, tmp_path, size, height, width):
    config = fitted(folder(size), tmp_path)
    assert config.input.shape == (1, height, width)
    assert all(size >= 1 for node in config.network.nodes for size in node.output_shape)


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_the_input_is_upright_where_the_camera_was_held_sideways(tmp_path, extension):
    held = Image.Exif()
    held[274] = 6  # the orientation: turned by a quarter
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (40, 20)).save(tmp_path / "images" / name / f"x.{extension}", exif=held)
    assert fitted(tmp_path / "images", tmp_path).input.shape == (3, 40, 20)


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("I;16", 1), ("RGB", 3), ("P", 3), ("RGBA", 3)]
)
def test_the_channels_are_those_of_the_images(folder, tmp_path, mode, channels):
    assert fitted(folder(mode=mode), tmp_path).input.channels == channels


def test_one_colour_image_makes_all_of_them_colour(folder, tmp_path):
    root = folder()
    Image.new("RGB", (8, 8)).save(root / "cat" / "x.png")
    assert fitted(root, tmp_path).input.channels == 3


def test_unreadable_images_do_not_count(folder, tmp_path):
    root = folder((16, 16))
    (root / "cat" / "a.png").write_bytes(b"nothing")
    assert fitted(root, tmp_path).input.shape == (1, 16, 16)


def test_a_folder_of_unreadable_images_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="none of the 2 images can be read"):
        starter_config(tmp_path, tmp_path)


def test_one_class_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="one class folder, 'cat': there is nothing to tell apart"):
        starter_config(folder(classes=("cat",)), tmp_path)


def test_the_data_folder_is_named_from_where_the_file_lies(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = folder().relative_to(tmp_path)
    (tmp_path / "configs").mkdir()
    text = starter_config(data, tmp_path / "configs")
    assert "\n  path: ../images\n" in text
    assert parse_config(text, "configs/c.yaml").data.path == tmp_path / "images"


@pytest.mark.parametrize("name", ["yes", "1e-3", "a: b", "a #b", "{a}", "'", "a\nb", "名", "C#", "* a"])
def test_any_folder_and_class_name_gives_a_starter_that_loads(folder, tmp_path, name):
    root = folder(classes=(name, "zz"), root=tmp_path / name / "images")
    config = fitted(root, tmp_path)
    assert config.data.path == root
    assert set(scan_folder(config.data.path).classes) == {name, "zz"}


def test_lines_stay_within_120_columns_and_comments_under_one_another(folder, tmp_path):
    lines = starter_config(folder((64, 64)), tmp_path).splitlines()
    assert max(map(len, lines)) <= 120
    assert len({line.index(" # ") for line in lines[2:] if " # " in line.lstrip()}) == 1


def test_the_shapes_beside_the_layers_are_those_of_the_network(folder, tmp_path):
    text = starter_config(folder((48, 64), "RGB"), tmp_path)
    config = parse_config(text, "c.yaml")
    shown = [line.split("# ")[1] for line in text.splitlines() if "conv2d" in line or "maxpool2d" in line]
    nodes = [node for node in config.network.nodes if node.layer.type in ("conv2d", "maxpool2d")]
    assert shown == ["×".join(map(str, node.output_shape)) for node in nodes]
    assert f"layers:{' ' * 57}# 3×64×48\n" in text


def test_it_learns_what_a_folder_shows(tmp_path):
    rng = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 50)):
        (tmp_path / name).mkdir()
        for number in range(20):
            pixels = rng.integers(level - 40, level + 40, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    assert trained(fitted(tmp_path, tmp_path)).history[-1].val_accuracy == 1


def test_colour_photos_are_proposed_to_be_mirrored_and_moved_and_other_images_are_not(tmp_path):
    for kind, mode in (("jpg", "RGB"), ("png", "RGB"), ("grey.jpg", "L")):
        for name in "ab":
            (tmp_path / kind / name).mkdir(parents=True)
            Image.new(mode, (64, 48)).save(tmp_path / kind / name / f"1.{kind}")
    proposed = fitted(tmp_path / "jpg", tmp_path).data.augment
    assert [type(step).__name__ for step in proposed] == ["Flip", "Shift"]
    assert proposed[1].pixels == 3
    assert fitted(tmp_path / "png", tmp_path).data.augment == fitted(tmp_path / "grey.jpg", tmp_path).data.augment == ()
