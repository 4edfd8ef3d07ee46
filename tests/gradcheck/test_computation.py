import numpy as np

from cnnbp.arrays import Arena
from cnnbp.gradcheck.computation import Stack, follow_branches, hold_branches
from cnnbp.gradcheck.endtoend import as_computation
from cnnbp.network import INPUT
from tests.gradcheck.points import NORMALISED, PLAIN, point


def computation(layers):
    here = point(layers)
    tape, logits = here.forward()
    losses, _ = here.loss.forward(logits, here.labels)
    return as_computation(here, tape), losses / len(here.labels)


def moved_images(base, by):
    return Stack({INPUT: base.values[INPUT] + by}, base.one_copy, np.zeros(1, bool))


def test_at_the_base_point_frozen_branches_give_the_loss_of_the_real_ones():
    for layers in (PLAIN, NORMALISED):
        base, losses = computation(layers)
        held, _ = base.evaluate(moved_images(base, 0.0), hold_branches, Arena())
        real, crossed = base.evaluate(moved_images(base, 0.0), follow_branches, Arena())
        np.testing.assert_allclose(held[0, 0], losses, rtol=1e-14)
        np.testing.assert_array_equal(real[0, 0], losses)
        assert not crossed.any()


def test_leaving_the_branches_is_noticed_and_frozen_ones_are_never_left():
    base, _ = computation(PLAIN)
    assert base.evaluate(moved_images(base, 5.0), follow_branches, Arena())[1].tolist() == [True]
    assert base.evaluate(moved_images(base, 5.0), hold_branches, Arena())[1].tolist() == [False]


def test_frozen_branches_are_one_smooth_piece():
    base, _ = computation(PLAIN)
    logits = []
    for by in (-4.0, 0.0, 4.0):
        stack = moved_images(base, by)
        values = dict(stack.values)
        for node in base.nodes:
            values[node.index], _ = base.run(
                node, values[node.inputs[0]], base.params[node.name], stack, hold_branches, Arena()
            )
        logits.append(values[base.output])
    np.testing.assert_allclose(logits[0] + logits[2], 2 * logits[1], rtol=1e-10, atol=1e-10)


def test_dropout_keeps_its_mask_whatever_comes_in():
    base, _ = computation(NORMALISED)
    [dropout] = [node for node in base.nodes if node.layer.type == "dropout"]
    ones = np.ones_like(base.values[dropout.inputs[0]])
    stack = Stack({}, base.one_copy, np.zeros(1, bool))
    y, crossed = base.run(dropout, ones, {}, stack, follow_branches, Arena())
    np.testing.assert_array_equal(y > 0, base.branches[dropout.index])
    assert not crossed.any()
