import numpy as np

from cnnbp.gradcheck import check_layer
from cnnbp.gradcheck.bugs import plant
from cnnbp.gradcheck.curves import by_gravity, curved, step_curve
from cnnbp.gradcheck.selftest import check_subject, networks
from cnnbp.layers import Dense

LECTURE, SMOOTH = networks()["lecture"], networks()["smooth"]


def test_the_error_is_large_for_steps_too_long_and_too_short_and_small_at_the_chosen_one():
    report = check_subject(*SMOOTH)
    [tensor] = (tensor for tensor in report.tensors if tensor.name == "dense2.W")
    curve = step_curve("dense2.W", tensor)
    chosen = np.flatnonzero(curve.h == curve.chosen)[0]
    assert curve.central[0] > 10 * curve.central[chosen]
    assert curve.central[-1] > 10 * curve.central[chosen]
    assert curve.richardson[chosen] < curve.central[chosen]
    assert curve.off < 1e-12


def test_what_backward_is_off_by_is_that_of_the_worst_entry():
    report = check_subject(*plant(*LECTURE, "dense1:dW-one-entry"))
    name, tensor = curved(report)
    assert name == "∂L/∂dense1.W"
    np.testing.assert_allclose(step_curve(name, tensor).off, abs(tensor.worst.analytic - tensor.worst.numeric))


def test_a_step_that_meets_a_kink_is_not_the_chosen_one():
    report = check_subject(*LECTURE)
    for tensor in report.tensors:
        curve = step_curve(tensor.name, tensor)
        if not curve.crossed.all():
            assert not curve.crossed[curve.h == curve.chosen].any()


def test_failures_of_the_guilty_layer_come_first():
    report = check_subject(*plant(*LECTURE, "conv2d1:dX-unflipped"))
    assert [name for name, _ in by_gravity(report)][:3] == ["conv2d1 dx", "conv2d1 dx, integers", "∂L/∂X"]


def test_a_layer_alone_has_curves_too_and_one_that_is_affine_is_exact_at_1():
    report = check_layer(Dense(units=2), (3,))
    curve = step_curve(*curved(report))
    assert curve.chosen == 1
    assert curve.central[0] < 1e-12
