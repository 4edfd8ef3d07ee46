import numpy as np

from cnnbp.gradcheck.identities import broken_loss_identities
from cnnbp.losses import CrossEntropy


def slopes(logits):
    loss = CrossEntropy()
    _, cache = loss.forward(logits, np.array([0, 1, 0]))
    return loss.backward(cache, 3)


def test_a_saturated_image_raises_no_alarm():
    logits = np.array([[32.0, 1.0, 0.5], [0.0, 0.0, 0.0]])  # p of the first is 1 but for its rounding
    assert list(broken_loss_identities(CrossEntropy(), slopes(logits))) == []


def test_a_gradient_that_does_not_sum_to_0_over_the_logits_is_noticed():
    dlogits = slopes(np.array([[0.3, 1.0, 0.5], [0.0, -1.0, 0.0]]))
    dlogits[0, 1] *= 1 + 1e-6
    assert len(list(broken_loss_identities(CrossEntropy(), dlogits))) == 1
