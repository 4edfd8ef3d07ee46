import pytest

from cnnbp.inspect.costs import network_shapes
from cnnbp.layers import Conv2d, Dense, Flatten
from cnnbp.losses import CrossEntropy, MeanSquaredError
from cnnbp.network import Network
from cnnbp.report.shapes import draw_backward, draw_shapes, draw_totals, shapes_document
from tests.report.paper import printed


@pytest.mark.parametrize(("loss", "activation"), [(CrossEntropy(), True), (MeanSquaredError(), False)])
def test_only_a_loss_that_activates_the_logits_has_a_row_of_its_own(loss, activation):
    network = Network((1, 2, 2), [Flatten(), Dense(units=3)])
    shapes = network_shapes(network, loss, 32)
    forward, backward = (" ".join(printed(draw, shapes)) for draw in (draw_shapes, draw_backward))
    assert ("A1" in forward) == ("∂L/∂A1" in backward) == activation
    assert "scalar" in forward


def test_memory_that_was_not_measured_is_a_dash_and_null():
    network = Network((1, 4096, 4096), [Conv2d(filters=2, kernel=64, pad="same"), Flatten(), Dense(units=2)])
    shapes = network_shapes(network, CrossEntropy(), 32)
    assert " ".join(printed(draw_shapes, shapes, width=200)).count(" –") == 2 * len(shapes.layers)
    assert "not measured" in " ".join(printed(draw_totals, shapes))
    document = shapes_document(shapes)
    assert document["totals"]["kept_bytes"] is document["layers"][0]["cache_bytes"] is None
