import numpy as np
import pytest

from cnnbp.report.excerpts import excerpt, excerpt_rows

MATRIX = np.random.default_rng(0).integers(-9, 9, (40, 30))


@pytest.mark.parametrize("chosen", [None, [0, 1, 2, 17]])
def test_what_is_left_out_is_a_row_and_a_column_with_its_sum(chosen):
    cut = excerpt(MATRIX, 8, chosen)
    assert cut.numbers.shape[0] == 12
    np.testing.assert_array_equal(cut.numbers.sum(axis=0)[:4], MATRIX.sum(axis=0)[chosen or [0, 1, 2, 3]])
    assert cut.numbers.sum() == MATRIX.sum()
    assert (cut.rows, cut.columns) == (29, 30 - len(chosen or range(7)))


def test_a_small_matrix_stays_whole():
    cut = excerpt(MATRIX[:3, :4], 4)
    np.testing.assert_array_equal(cut.numbers, MATRIX[:3, :4])
    assert (cut.rows, cut.columns) == (0, 0)


def test_what_a_row_adds_up_and_which_numbers_are_marked_is_said():
    lines = [line.plain for line in excerpt_rows(excerpt(MATRIX[:, :2], 4), ".0f")]
    assert lines[-1].endswith("  and 29 more")
    marks = np.array([[True, False]])
    assert excerpt_rows(excerpt(MATRIX[:1, :2], 4), ".0f", marks)[0].plain.split() == [
        f"{MATRIX[0, 0]}*",
        str(MATRIX[0, 1]),
    ]
    lines = [line.plain for line in excerpt_rows(excerpt(MATRIX[:2], 30, [0, 4]), ".0f", heads=["m=1", "m=5"])]
    assert lines[0].split() == ["m=1", "m=5", "more"]
    assert lines[-1] == "last column: more: 28 images, added up"
