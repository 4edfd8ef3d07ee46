import numpy as np

from cnnbp.inspect.kinks import DeadUnits, TiedWindows, dead_units, tied_windows
from cnnbp.inspect.record import Model, Record, record_batch
from cnnbp.layers import Flatten, LayerSpec, MaxPool2d, ReLU
from cnnbp.losses import MeanSquaredError
from cnnbp.network import Network


def recorded(x: np.ndarray, *layers: LayerSpec) -> Record:
    network = Network(x.shape[:-1], [*layers, Flatten()])
    model = Model(network, MeanSquaredError(), network.initial_parameters(0), {})
    return record_batch(model, x, np.zeros(x.shape[-1], int))


def test_a_unit_is_dead_where_it_is_0_for_every_image():
    x = np.array([[[1.0, -1, -1]], [[-1, -1, -1]]])[..., None] * [1, 1]  # 2 channels of 1×3, two images
    x[0, 0, 1, 1] = 5  # on for the second image
    assert dead_units(recorded(x, ReLU())) == [DeadUnits("relu1", dead=4, units=6, dead_channels=1, channels=2)]


def test_a_window_is_tied_when_its_maximum_stands_in_several_places():
    x = np.array([[3.0, 3, 0, 0], [1, 2, 0, 0], [5, 4, -7, -7], [1, 2, -7, -9]])[None, ..., None]
    expected = TiedWindows("maxpool2d1", tied=3, windows=4, at_zero=1)
    assert tied_windows(recorded(x, MaxPool2d(kernel=2))) == [expected]


def test_padding_is_never_the_maximum():
    x = np.full((1, 2, 2, 1), -5.0)
    assert tied_windows(recorded(x, MaxPool2d(kernel=2, pad=1)))[0].tied == 0
