import os
from pathlib import Path

import pytest

from cnnbp.config import DataConfig, EarlyStopping, NormalizeConfig, TrainConfig, load_config
from cnnbp.data.augment import Flip, Shift
from cnnbp.errors import ConfigError
from cnnbp.layers import Conv2d, ReLU
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.losses import CrossEntropy
from cnnbp.optimizers import Adam
from cnnbp.schedules import Constant, Cosine
from tests.config.texts import RIGHT, right


@pytest.fixture
def file(tmp_path):
    return tmp_path / "c.yaml"


def refusal_of(path, content=None):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    return str(raised.value)


def test_a_whole_configuration_is_read(file):
    text = """\
        seed: 3
        input: {channels: 3, height: 8, width: 6}
        data:
          path: images
          fit: pad
          validation: 0.1
          normalize: {mean: 0.5, std: [0.1, 0.2, 0.3]}
          augment: [{shift: 1}, {flip: horizontal}]
          background: [1, 2, 3]
          max_pixels: 1000
          cache: 1.5 KiB
          allow_empty: true
        layers:
          - conv2d: {name: conv1, filters: 16, kernel: [3, 1], pad: same}
          - relu
          - maxpool2d: {kernel: 2}
          - residual: {layers: [{conv2d: {filters: 16, kernel: 3, pad: same}}, relu]}
          - flatten
          - dense: {units: 10}
        loss: {cross_entropy: {label_smoothing: 0.1}}
        train:
          epochs: 4
          batch_size: 5
          optimizer: {adam: {lr: 3e-3, weight_decay: 1e-4}}
          schedule: {cosine: {warmup: 1}}
          clip_norm: 5
          early_stopping: {patience: 7, min_delta: 0.001}
          save_every: 60
        """
    file.write_text(text)
    config = load_config(file)
    assert config.seed == 3
    assert config.input.shape == (3, 8, 6)
    assert config.data == DataConfig(
        path=file.parent / "images", fit="pad", validation=0.1,
        normalize=NormalizeConfig(mean=0.5, std=(0.1, 0.2, 0.3)), augment=(Shift(pixels=1), Flip(axis="horizontal")),
        background=(1, 2, 3), max_pixels=1000, cache=1536, allow_empty=True,
    )  # fmt: skip
    assert config.layers[:3] == (
        Conv2d(name="conv1", filters=16, kernel=(3, 1), pad="same"), ReLU(), MaxPool2d(kernel=(2, 2)),
    )  # fmt: skip
    assert config.layers[3].layers == (Conv2d(filters=16, kernel=(3, 3), pad="same"), ReLU())
    assert config.loss == CrossEntropy(label_smoothing=0.1)
    assert config.train == TrainConfig(
        epochs=4, batch_size=5, optimizer=Adam(lr=3e-3, weight_decay=1e-4), schedule=Cosine(warmup=1), clip_norm=5,
        early_stopping=EarlyStopping(patience=7, min_delta=0.001), save_every=60,
    )  # fmt: skip
    assert config.network.output_shape == (10,)


def test_what_is_left_out_has_its_default():
    config = right()
    assert config.data is None
    assert config.train == TrainConfig(optimizer=Adam(lr=0.001), schedule=Constant())
    data = right("seed: 0", "data: {path: x}").data
    assert (data.fit, data.validation, data.normalize) == ("stretch", 0.2, NormalizeConfig(mean=0.0, std=1.0))
    assert (data.background, data.cache) == ((255, 255, 255), 1 << 30)


def test_a_section_whose_options_are_all_left_out_has_its_defaults():
    assert right("seed: 0", "train:").train == TrainConfig()
    assert right("seed: 0", "data: {normalize: }").data == DataConfig()


def test_a_grey_background_is_one_number():
    assert right("seed: 0", "data: {background: 7}").data.background == (7, 7, 7)


@pytest.mark.parametrize(
    ("written", "count"),
    [("0", 0), ("1000", 1000), ("1GiB", 2**30), ("512 MiB", 2**29), ("1kb", 1000), ("2.5MB", 2_500_000), ("7B", 7)],
)
def test_the_cache_is_bytes_or_a_text_with_a_unit(written, count):
    assert right("seed: 0", f"data: {{cache: {written}}}").data.cache == count


def test_a_relative_data_path_starts_at_the_file(file):
    file.write_text(RIGHT + "data: {path: ../images}\n")
    assert load_config(file).data.path == file.parent.parent / "images"


def test_a_relative_data_path_in_an_override_starts_at_the_working_directory(file, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file.write_text(RIGHT + "data: {path: elsewhere}\n")
    assert load_config(file, ["data.path=images"]).data.path == tmp_path / "here" / "images"


def test_another_data_folder_may_be_given_later(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert right().with_data(Path("images")).data == DataConfig(path=tmp_path / "images")
    config = right("seed: 0", "data: {path: x, fit: crop}").with_data(Path("images"))
    assert config.data == DataConfig(path=tmp_path / "images", fit="crop")


def test_the_home_folder_is_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert right("seed: 0", "data: {path: ~/images}").data.path == tmp_path / "images"


def test_places_are_given_in_the_file_as_it_was_named(file):
    assert f"{file}:1:1" in refusal_of(file, b"sed: 0\n" + RIGHT.encode())


def test_a_byte_order_mark_is_passed_over(file):
    file.write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
    assert load_config(file) == right()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_unicode_encodings_are_refused_by_name(file, encoding):
    assert refusal_of(file, RIGHT.encode(encoding)) == f"{str(file)!r} looks like UTF-16 or UTF-32: save it as UTF-8"


def test_other_encodings_are_refused_where_they_are_not_utf_8(file):
    text = refusal_of(file, "seed: 0\n# weiß\n".encode("latin-1"))
    assert text.startswith("the byte 0xdf is not UTF-8: save the file as UTF-8\n")
    assert f"{file}:2:6" in text


def test_a_file_that_is_not_there_is_refused(file):
    assert refusal_of(file) == f"cannot read the configuration {str(file)!r}: No such file or directory"


def test_a_folder_is_refused(tmp_path):
    assert refusal_of(tmp_path) == f"{str(tmp_path)!r} is a folder; a configuration is a YAML file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(file):
    file.write_text(RIGHT)
    file.chmod(0)
    assert "Permission denied" in refusal_of(file)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    assert refusal_of(tmp_path / name).startswith("cannot read the configuration ")


def test_a_name_with_control_characters_is_shown_escaped(tmp_path):
    assert refusal_of(tmp_path / "a\x1b[31m\n.yaml", b"seed: x\n").replace("\n", "").isprintable()


def test_a_mebibyte_is_read_and_a_byte_more_refused(file):
    padding = (1 << 20) - len(RIGHT)
    file.write_text(RIGHT + "#" * padding)
    assert load_config(file) == right()
    assert refusal_of(file, (RIGHT + "#" * (padding + 1)).encode()) == (
        f"{str(file)!r} is larger than 1 MiB: that is no configuration"
    )


def test_an_endless_file_is_refused():
    assert "larger than 1 MiB" in refusal_of(Path("/dev/zero"))


def test_a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for(file):
    reader, writer = os.pipe()
    with open(writer, "w") as text, open(reader):  # noqa: PTH123
        text.write(RIGHT)
        text.close()
        assert load_config(Path(f"/dev/fd/{reader}")) == right()
    os.mkfifo(file)
    assert "the configuration is empty" in refusal_of(file)
