from base64 import b64decode

import numpy as np
import pytest

from cnnbp.errors import ConfigError
from cnnbp.page.bug import plant_in, plant_random
from tests.inspect.lecture import by_hand, lecture_model
from tests.page.pages import lecture_document, lecture_inspection, numbers


def answer(document):
    return b64decode(document["bug"]["answer"]).decode().split("\n")[0]


def test_a_bugs_numbers_stand_beside_the_right_ones_and_differ_where_it_acts():
    planted = plant_in(lecture_inspection(), "conv2d1:dX-unflipped", hidden=False)
    document = lecture_document(planted)
    expected = by_hand(lecture_model())
    np.testing.assert_allclose(numbers(document, "∂L/∂X"), expected["∂L/∂X"], atol=1e-15)
    flipped = np.zeros((6, 6, 4))
    W = lecture_model().params["conv2d1"]["W"][0, 0]
    for i, j in np.ndindex(4, 4):
        flipped[i : i + 3, j : j + 3] += W[::-1, ::-1, None] * expected["∂L/∂Z1"][0, i, j]
    np.testing.assert_allclose(numbers(document, "wrong ∂L/∂X")[0], flipped, atol=1e-15)
    for symbol in ("∂L/∂W1", "∂L/∂Z1", "∂L/∂W2"):
        np.testing.assert_array_equal(numbers(document, f"wrong {symbol}"), numbers(document, symbol))
    assert answer(document) == "conv2d1:dX-unflipped"


def test_a_random_bug_shows_in_the_batch_and_the_seed_decides_which():
    inspection = lecture_inspection()
    drawn = [plant_random(inspection, seed, hidden=True) for seed in range(8)]
    assert len({planted.bug.spelling for planted in drawn}) > 3
    again = plant_random(inspection, 3, hidden=True)
    assert again.bug == drawn[3].bug
    for planted in drawn:
        document = lecture_document(planted)
        changed = [
            symbol
            for symbol in document["tensors"]
            if f"wrong {symbol}" in document["tensors"]
            and not np.allclose(numbers(document, f"wrong {symbol}"), numbers(document, symbol), rtol=1e-3, atol=1e-12)
        ]
        assert changed, planted.bug


def test_a_bug_that_is_to_be_found_is_not_read_in_the_file_by_chance():
    planted = plant_in(lecture_inspection(), "dense1:db-doubled", hidden=True)
    document = lecture_document(planted)
    assert document["bug"]["hidden"]
    assert "db-doubled" not in str({**document["bug"], "candidates": None})
    dense = next(group for group in document["bug"]["candidates"] if group["layer"] == "dense1")
    assert {"bug": "db-doubled", "story": "db was added twice"} in dense["bugs"]


def test_a_bug_that_does_not_fit_is_an_error():
    with pytest.raises(ConfigError, match="no bug"):
        plant_in(lecture_inspection(), "relu1:dW-flipped", hidden=False)
