import numpy as np

from cnnbp.data.streams import Purpose, image_uniforms, stream


def test_equal_names_give_equal_numbers_and_other_purposes_other_ones():
    first, again, other = (stream(3, purpose, 1).random(5) for purpose in (Purpose.ORDER, Purpose.ORDER, Purpose.SPLIT))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()


def test_an_image_draws_the_same_numbers_in_any_batch():
    together = image_uniforms(0, 2, 1, np.array([5, 9, 7]), 4)
    np.testing.assert_array_equal(together[1:2], image_uniforms(0, 2, 1, np.array([9]), 4))


def test_image_draws_are_uniform_and_differ_by_image_draw_step_epoch_and_seed():
    images = np.arange(20_000)
    draws = image_uniforms(0, 0, 0, images, 2)
    assert 0 <= draws.min() < 1e-3
    assert 1 - 1e-3 < draws.max() < 1
    assert abs(draws.mean() - 0.5) < 0.01
    others = [image_uniforms(*key, images, 1)[:, 0] for key in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    correlation = np.corrcoef([*draws.T, *others])
    assert np.abs(correlation - np.eye(5)).max() < 0.04
