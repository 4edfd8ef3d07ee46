import pytest

from cnnbp.inspect.costs import network_shapes
from cnnbp.layers import Dense, Flatten
from cnnbp.losses import CrossEntropy, MeanSquaredError
from cnnbp.network import Network
from cnnbp.report.shapes import draw_backward, draw_shapes
from tests.report.paper import printed


@pytest.mark.parametrize(("loss", "activation"), [(CrossEntropy(), True), (MeanSquaredError(), False)])
def test_only_a_loss_that_activates_the_logits_has_a_row_of_its_own(loss, activation):
    network = Network((1, 2, 2), [Flatten(), Dense(units=3)])
    shapes = network_shapes(network, loss, 32)
    forward, backward = (" ".join(printed(draw, shapes)) for draw in (draw_shapes, draw_backward))
    assert ("A1" in forward) == ("∂L/∂A1" in backward) == activation
    assert "scalar" in forward
