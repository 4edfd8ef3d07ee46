from io import StringIO

import numpy as np
from rich.console import Console

from cnnbp.report.confusion import draw_confusion


def printed(counts, classes, width=80):
    file = StringIO()
    draw_confusion(counts, classes, "title", Console(file=file, width=width))
    return [line.split() for line in file.getvalue().splitlines()]


def test_each_true_class_has_a_row_and_each_predicted_one_a_column():
    rows = printed(np.array([[3, 1], [0, 4]]), ["a", "b\nc"])
    assert ["a", "3", "1", "75.0%"] in rows
    assert [r"b\nc", "·", "4", "100.0%"] in rows


def test_where_the_matrix_does_not_fit_the_most_frequent_mistakes_are_listed():
    counts = 5 * np.eye(30, dtype=int)
    counts[2, 7], counts[9, 1] = 2, 5
    rows = printed(counts, [f"class {k}" for k in range(30)])
    assert rows[0] == ["title:", "the", "most", "frequent", "of", "7", "mistakes"]
    assert rows[3] == ["class", "9", "class", "1", "5", "50.0%"]
    assert rows[4] == ["class", "2", "class", "7", "2", "28.6%"]
    assert len(rows) == 5


def test_without_a_mistake_there_is_nothing_to_list():
    assert printed(np.eye(50, dtype=int), ["x"] * 50) == [["title:", "all", "right"]]
