"""`cnnbp grads` as a user runs it: what it saves is held against derivatives of forward passes written down here."""

import json
from functools import partial

import numpy as np
import pytest
from rich.cells import cell_len

from tests.cli.command import ROOT, cnnbp
from tests.cli.runs import document, image_folder, trained_run
from tests.cli.terminal import Terminal
from tests.porting.references import read_back

SLOPES = ("Z2", "W2", "b2", "f", "F", "A1", "Z1", "W1", "b1", "X")
CHAIN = (
    *("X", "W1", "b1", "Z1", "A1", "F", "f", "W2", "b2", "Z2", "A2", "Y", "L"),
    *("∂L/∂A2", "∂A2/∂Z2", *(f"∂L/∂{name}" for name in SLOPES)),
)
LECTURE, DIGITS = ROOT / "configs/lecture.yaml", ROOT / "configs/digits.yaml"


def saved(folder, *arguments):
    exit_code, _, errors = cnnbp("grads", *arguments, "--save", "batch.npz", "--force", cwd=folder)
    assert exit_code == 0, errors
    assert "wrote batch.npz" in errors
    return read_back(folder / "batch.npz")[1]


def correlated(x, W, b, pad=0):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, W.shape[2:], axis=(1, 2))  # (C, H, W, M, kH, kW)
    return np.einsum("chwmuv,fcuv->fhwm", windows, W) + b[:, None, None, None]


def pooled(x):
    C, H, W, M = x.shape
    return x.reshape(C, H // 2, 2, W // 2, 2, M).max(axis=(2, 4))


def lecture_loss(X, y, params):
    a = pooled(np.maximum(correlated(X, params["conv1.W"], params["conv1.b"]), 0))
    z = params["dense1.W"] @ a.reshape(-1, a.shape[-1]) + params["dense1.b"][:, None]
    p = 1 / (1 + np.exp(-z[0]))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def digits_loss(X, y, params):
    a = pooled(np.maximum(correlated(X, params["conv1.W"], params["conv1.b"], pad=1), 0))
    a = np.maximum(correlated(a, params["conv2.W"], params["conv2.b"], pad=1), 0)
    z = params["dense1.W"] @ a.reshape(-1, a.shape[-1]) + params["dense1.b"][:, None]
    return np.mean(np.log(np.exp(z).sum(axis=0)) - z[y, np.arange(len(y))])


def parts(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def slope(loss, array, place, h=1e-5):
    """Return the central difference of a loss by one number of an array that it reads."""
    before = array[place]
    array[place] = before + h
    above = loss()
    array[place] = before - h
    below = loss()
    array[place] = before
    return (above - below) / (2 * h)


def assert_derivative(arrays, loss, names, entries=None):
    """Hold saved gradients against central differences, entry by entry or at a few drawn ones."""
    params, gradients = parts(arrays, "param/"), parts(arrays, "grad/")
    tensors = {**params, "X": arrays["X"]}
    measure = partial(loss, arrays["X"], arrays["y"], params)
    rng = np.random.default_rng(0)
    for name in names:
        places = [*np.ndindex(tensors[name].shape)]
        for place in places if entries is None else rng.permutation(places)[:entries]:
            expected = slope(measure, tensors[name], tuple(place))
            assert gradients[name][tuple(place)] == pytest.approx(expected, abs=2e-9), (name, place)


def test_every_saved_gradient_of_the_lecture_is_a_derivative_of_its_loss(tmp_path):
    arrays = saved(tmp_path, LECTURE)
    assert {array.dtype for name, array in arrays.items() if name != "y"} == {np.dtype(np.float64)}
    assert arrays["y"].dtype == np.int64
    assert arrays["loss"] == pytest.approx(lecture_loss(arrays["X"], arrays["y"], parts(arrays, "param/")), rel=1e-12)
    assert_derivative(arrays, lecture_loss, ["conv1.W", "conv1.b", "dense1.W", "dense1.b", "X"])


def test_saved_gradients_of_the_digits_are_derivatives_of_their_loss(tmp_path):
    arrays = saved(tmp_path, DIGITS, "--batch", 7)
    assert arrays["X"].shape == (1, 8, 8, 7)
    assert arrays["loss"] == pytest.approx(digits_loss(arrays["X"], arrays["y"], parts(arrays, "param/")), rel=1e-12)
    names = ["conv1.W", "conv1.b", "conv2.W", "conv2.b", "dense1.W", "dense1.b"]
    assert_derivative(arrays, digits_loss, names, entries=10)


def test_the_lectures_numbers_are_shown_step_by_step_in_the_order_of_the_chain_rule(tmp_path):
    exit_code, screen, _ = cnnbp("grads", LECTURE)
    assert exit_code == 0
    derivation = screen[screen.index("The chain rule with numbers") :]
    places = [derivation.index(f"{symbol}  ") for symbol in CHAIN]
    assert places == sorted(places)
    for formula in ("= (A2 − Y)/(A2(1 − A2))/M", "= A2(1 − A2)", "= ∂L/∂A2 ⊙ ∂A2/∂Z2 = (A2 − Y)/M", "= Σₘ ∂L/∂Z2 · fᵀ"):
        assert formula in derivation
    assert "1×4×M, then summed over M" in derivation
    assert "L falls from" in derivation


def test_the_shown_steps_are_those_that_are_saved(tmp_path):
    arrays = saved(tmp_path, LECTURE)
    steps = {step["symbol"]: step for step in document("grads", LECTURE)["steps"]}
    np.testing.assert_array_equal(steps["X"]["value"], arrays["X"])
    np.testing.assert_array_equal(steps["∂L/∂W1"]["value"], arrays["grad/conv1.W"])
    np.testing.assert_allclose(np.sum(steps["∂L/∂W2"]["images"], axis=-1), arrays["grad/dense1.W"], atol=1e-16)
    product = np.multiply(steps["∂L/∂A2"]["value"], steps["∂A2/∂Z2"]["value"])
    np.testing.assert_allclose(steps["∂L/∂Z2"]["value"], product, rtol=1e-12)


def test_each_image_has_its_file_its_loss_and_its_share_of_the_gradient(tmp_path):
    found = document("grads", DIGITS, "--batch", 6)
    images = found["images"]
    assert [image["loss"] for image in images] == sorted((image["loss"] for image in images), reverse=True)
    assert sum(image["loss"] for image in images) / 6 == pytest.approx(found["loss"])
    for image in images:
        assert (ROOT / "datasets/digits" / image["name"]).is_file()
        assert found["classes"][image["label"]] == image["name"].split("/")[1]
        assert image["gradient_norm"] > 0
    [first, second] = found["dead_units"]
    assert (first["units"], second["units"]) == (16 * 64, 32 * 16)
    assert found["tied_windows"][0]["windows"] == 16 * 16 * 6


def test_what_the_gradients_say_is_on_the_screen_and_in_the_document():
    exit_code, screen, errors = cnnbp("grads", DIGITS, "train.optimizer.sgd.lr=2")
    assert exit_code == 0, errors
    found = document("grads", DIGITS, "train.optimizer.sgd.lr=2")
    noise, curvature, update = found["noise"], found["curvature"], found["update"]
    assert noise["images"] == 32
    assert noise["scale"] == pytest.approx(noise["variance"] / noise["signal"])
    assert {line["images"]["noise"]["images"] for line in found["parameters"]} == {32}
    assert f"tr Σ/‖∇L‖² = {noise['scale']:.3g} images" in screen
    assert f"largest λ = {curvature['largest']:.4g}" in screen
    assert curvature["longest_rate"] < update["longest_rate"] < 2
    assert f"too long, one step of sgd, lr 2; to second order it falls up to lr {update['longest_rate']:.4g}" in screen


def test_batch_norms_images_are_measured_where_that_is_quick_and_otherwise_named():
    residual = ROOT / "configs/residual.yaml"
    assert "An image's gradient is that of its own loss" in cnnbp("grads", residual, "--batch", 2)[1]
    assert "Each image's gradient would take long with this batch" in cnnbp("grads", residual, "--batch", 12)[1]


def test_a_run_is_looked_at_with_its_own_parameters_classes_and_normalisation(tmp_path):
    run = trained_run(tmp_path / "here")
    exit_code, screen, errors = cnnbp("grads", run, "--batch", 4)
    assert exit_code == 0
    assert "best.npz, after epoch" in errors
    assert r"grün\nblau" in screen
    assert "[red]" in screen
    assert "Batch norm couples the images" in screen
    assert cnnbp("export", run, "--to", "npz", cwd=tmp_path)[0] == 0
    arrays = saved(tmp_path, run, "--batch", 4)
    with np.load(tmp_path / "run.npz") as exported:
        np.testing.assert_array_equal(arrays["param/first.W"], exported["first.W"].astype(np.float64))
    background = np.array([250 / 255 - 0.4, -0.5, -0.6]) / 0.25  # above and below: the images are wider than high
    np.testing.assert_allclose(arrays["X"][:, 0, 0], background[:, None].repeat(4, axis=1))
    other = image_folder(tmp_path / "other", each=1)
    assert f"images of {other}" in cnnbp("grads", run, other, "--batch", 3)[1]
    exit_code, _, errors = cnnbp("grads", run / "checkpoints/last.npz", "--batch", 4)
    assert exit_code == 0, errors
    assert "last.npz, after epoch" in errors


def test_dropout_is_on_only_with_train_and_its_masks_are_saved(tmp_path):
    text = LECTURE.read_text().replace("  - flatten ", "  - dropout: {p: 0.5}\n  - flatten ")
    (tmp_path / "c.yaml").write_text(text.replace("../datasets", str(ROOT / "datasets")))
    calm, dropped = saved(tmp_path, "c.yaml"), saved(tmp_path, "c.yaml", "--train")
    assert "mask/dropout1" not in calm
    mask = dropped["mask/dropout1"]
    assert 0 < mask.mean() < 1
    a = pooled(np.maximum(correlated(dropped["X"], dropped["param/conv1.W"], dropped["param/conv1.b"]), 0)) * mask * 2
    z = dropped["param/dense1.W"] @ a.reshape(-1, a.shape[-1]) + dropped["param/dense1.b"][:, None]
    np.testing.assert_allclose(
        dropped["grad/dense1.b"].sum(), np.mean(1 / (1 + np.exp(-z[0])) - dropped["y"]), rtol=1e-12
    )
    assert "dropout on, as in training" in cnnbp("grads", "c.yaml", "--train", cwd=tmp_path)[1]
    assert "dropout off" in cnnbp("grads", "c.yaml", cwd=tmp_path)[1]


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("config", [LECTURE, DIGITS])
def test_no_line_is_wider_than_the_terminal(config, width):
    with Terminal(width, "grads", config) as terminal:
        assert terminal.finish() == 0
        lines = terminal.lines
    assert max(map(cell_len, lines)) <= width
    assert any("train/" in line or "vertical/" in line for line in lines)


def test_an_ascii_terminal_shows_the_chain_rule_all_the_same():
    exit_code, screen, _ = cnnbp("grads", LECTURE, PYTHONIOENCODING="ascii")
    assert exit_code == 0
    assert screen.isascii()
    assert "?" not in screen
    assert "dL/dZ2" in screen


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    exit_code, screen, errors = cnnbp("grads", LECTURE, "--save", tmp_path / "nowhere" / "x.npz")
    assert (exit_code, screen) == (3, "")
    assert "cannot write" in errors
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_written_over_without_force_and_its_options_need_one(tmp_path):
    (tmp_path / "x.npz").write_text("mine")
    for options, reason in {
        ("--save", "x.npz"): "'x.npz' exists already; --force writes over it",
        ("--save", "x.txt"): "the suffix decides on the format, .npz or .safetensors",
        ("--layout", "nchw"): "--force and --layout are about the file that --save writes",
    }.items():
        exit_code, screen, errors = cnnbp("grads", LECTURE, *options, cwd=tmp_path)
        assert (exit_code, screen) == (2, "")
        assert reason in errors
    assert (tmp_path / "x.npz").read_text() == "mine"
    exit_code, _, errors = cnnbp("grads", LECTURE, "--save", "x.npz", "--layout", "nchw", "--force", cwd=tmp_path)
    assert exit_code == 0
    assert "wrote x.npz: 28 arrays, layout nchw" in errors
    assert read_back(tmp_path / "x.npz")[1]["X"].shape == (4, 1, 6, 6)


def test_without_images_the_batch_is_random_and_a_line_says_so():
    exit_code, screen, errors = cnnbp("grads", ROOT / "configs/lenet.yaml", "--batch", 2, "--json")
    assert exit_code == 0
    assert "random numbers, seed 0" in errors
    assert json.loads(screen)["source"] == "random numbers"


def test_a_network_too_large_for_its_numbers_says_so_and_shows_those_that_are_chosen():
    screen = cnnbp("grads", DIGITS, "--batch", 3)[1]
    assert "Its numbers are too many to be printed: 3,850 values of each image, 9,930 parameters" in screen
    assert "--layer dense1 or --only dW3" in screen
    screen = cnnbp("grads", DIGITS, "--batch", 3, "--layer", "conv2", "--filter", 5)[1]
    assert "∂L/∂W2  32×16×3×3×M, then summed over M" in screen
    assert "filter 5, channel 0" in screen
    assert "∂L/∂W2 = ∂L/∂A3 · ∂A3/∂Z3" in screen
    assert "W1  16×1×3×3" not in screen
    [step] = document("grads", DIGITS, "--batch", 3, "--only", "db3")["steps"]
    assert np.shape(step["images"]) == (10, 3)
    exit_code, _, errors = cnnbp("grads", DIGITS, "--image", 2)
    assert (exit_code, "--only TENSOR" in errors) == (2, True)


def test_the_product_of_the_path_and_the_update_are_written_out():
    screen = cnnbp("grads", LECTURE)[1]
    assert "∂L/∂W1 = ∂L/∂A2 · ∂A2/∂Z2 · ∂Z2/∂f · ∂f/∂F · ∂F/∂A1 · ∂A1/∂Z1 · ∂Z1/∂W1\n" in screen
    assert "1×1      1×1       1×4      4×4     4×16     16×16     16×9\n" in screen
    assert "One update: Δθ = −η·g/(|g| + ε), η = 0.05, g = ∂L/∂θ" in screen


def test_pictures_are_written_into_a_folder(tmp_path):
    exit_code, _, errors = cnnbp("grads", LECTURE, "--plot", "slides", "--svg", "--image", 1, cwd=tmp_path)
    assert exit_code == 0
    assert "wrote 10 pictures of vertical/41.png into slides" in errors
    assert (tmp_path / "slides" / "grad-cam.svg").exists()
