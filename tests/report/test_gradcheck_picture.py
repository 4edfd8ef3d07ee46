import numpy as np
import pytest
from PIL import Image

from cnnbp.gradcheck import check_functions, check_layer
from cnnbp.gradcheck.bugs import plant
from cnnbp.gradcheck.selftest import check_subject, networks
from cnnbp.layers import Dense
from cnnbp.report.gradcheck_picture import save_gradcheck

SUBJECTS = networks()
RED = np.array([0xD1, 0x34, 0x4B])


def red_share(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return float((np.abs(pixels - RED).max(axis=2) < 8).mean())


@pytest.mark.parametrize("bug", ["conv2d1:dW-flipped", "loss:sign", "leaky_relu1:slope-0"])
def test_what_is_wrong_is_red(bug, tmp_path):
    save_gradcheck(check_subject(*plant(*SUBJECTS["windows"], bug)), tmp_path / "wrong.png")
    assert red_share(tmp_path / "wrong.png") > 1e-4


def test_a_check_that_passes_is_drawn_with_no_red_but_the_legends(tmp_path):
    save_gradcheck(check_subject(*SUBJECTS["windows"]), tmp_path / "right.png")
    assert red_share(tmp_path / "right.png") < 1e-4


def test_single_layers_and_functions_are_drawn_too(tmp_path):
    save_gradcheck(check_layer(Dense(units=2), (3,)), tmp_path / "a")
    report = check_functions(lambda x: ((x**3).sum(), x), lambda dy, x: dy * 3 * x**2, np.ones((2, 3)))
    save_gradcheck(report, tmp_path / "b")
    assert red_share(tmp_path / "a") < 1e-4 > red_share(tmp_path / "b")
