from io import StringIO

from rich.console import Console

from cnnbp.report.tables import Column, print_table

COLUMNS = [
    Column("name", ["a", "b"]),
    Column("some\ncost", ["1" * 12, "2"], "right", weight=20),
    Column("nothing", ["", ""]),
    Column("size", ["3" * 12, "4"], "right", weight=50),
]


def printed(width, columns=COLUMNS):
    file = StringIO()
    print_table(Console(file=file, width=width), columns)
    return file.getvalue()


def test_all_columns_that_have_something_to_show_are_shown_where_they_fit():
    screen = printed(80)
    assert all(header in screen for header in ("name", "cost", "size"))
    assert "nothing" not in screen.lower()


def test_where_they_do_not_fit_the_least_important_goes_and_a_line_says_so():
    screen = printed(30)
    assert "333333333333" in screen
    assert "111111111111" not in screen
    assert "Not shown in 30 columns: some cost." in " ".join(screen.split())


def test_a_narrow_column_comes_back_where_a_wider_one_had_to_go():
    columns = [Column("name", ["a"]), Column("few", ["1"], weight=20), Column("many", ["2" * 20], weight=50)]
    assert "few" in printed(32, [*columns[:2], Column("wide", ["3" * 20], weight=30), columns[2]]).splitlines()[0]


def test_no_line_is_wider_than_the_terminal():
    for width in range(20, 60):
        assert max(map(len, printed(width).splitlines())) <= width


def test_the_last_column_is_folded_rather_than_dropped():
    screen = printed(8, [Column("name", ["a-very-long-name"])])
    assert "".join(screen.split()).endswith("a-very-long-name")


def test_text_takes_several_lines_before_any_column_goes_and_never_goes_itself():
    story = "a long story of what went wrong, and why"
    columns = [Column("name", ["short"]), Column("story", [story], wraps=True), Column("size", ["3" * 12], weight=50)]
    for width in (60, 45, 30):
        screen = printed(width, columns)
        assert max(map(len, screen.splitlines())) <= width
        assert all(word in screen for word in story.split())
        assert ("3" * 12 in screen) == (width > 40)
