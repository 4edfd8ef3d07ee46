import pytest

from cnnbp.config.problems import MOST_SHOWN, Mark, Problem, Source, escaped, refusal, rendered


def source(*lines, is_file=True):
    return Source("configs/digits.yaml", lines, is_file)


def test_a_problem_shows_its_place_its_line_and_a_caret():
    lines = [""] * 11 + ["  - conv2d: {filter: 16, kernel: 3}"]
    mark = Mark(source(*lines), line=11, column=13, width=6)
    assert rendered(Problem('unknown option "filter" for conv2d', mark, 'did you mean "filters"?')) == (
        'unknown option "filter" for conv2d\n'
        "  --> configs/digits.yaml:12:14\n"
        "   |\n"
        "12 |   - conv2d: {filter: 16, kernel: 3}\n"
        '   |              ^^^^^^ did you mean "filters"?'
    )


def test_a_problem_of_an_override_has_no_line_number():
    mark = Mark(Source("override seed=x", ("seed=x",), is_file=False), line=0, column=5)
    assert rendered(Problem("no", mark)) == "no\n --> override seed=x\n  |\n  | seed=x\n  |      ^"


def test_problems_come_from_top_to_bottom_with_those_of_overrides_last():
    file, override = source("a", "b"), source("c", is_file=False)
    problems = [Problem("3", Mark(override, 0, 0)), Problem("2", Mark(file, 1, 0)), Problem("1", Mark(file, 0, 0))]
    assert [text.split("\n")[0] for text in str(refusal(problems)).split("\n\n")] == ["1", "error: 2", "error: 3"]


def test_a_hundred_problems_are_shown_and_the_rest_is_mentioned():
    file = source(*"x" * (MOST_SHOWN + 5))
    text = str(refusal([Problem(f"{line}", Mark(file, line, 0)) for line in range(MOST_SHOWN + 5)]))
    assert text.count("-->") == MOST_SHOWN
    assert text.endswith("\n\nerror: and more")


@pytest.mark.parametrize("column", [0, 50, 89, 91, 200, 395])
def test_the_caret_stands_under_its_text_wherever_it_is_on_a_long_line(column):
    line = "x" * column + "HERE" + "x" * (400 - column)
    *_, shown, caret = rendered(Problem("", Mark(source(line), 0, column, 4))).split("\n")
    assert shown[caret.index("^") :].startswith("HERE")
    assert caret.count("^") == 4
    assert len(shown) < 130


def test_the_caret_counts_wide_characters_as_two_columns():
    *_, caret = rendered(Problem("", Mark(source("名前: 値"), 0, 4, 1))).split("\n")
    assert caret == "  |" + " " * 7 + "^^"


def test_the_caret_counts_escaped_characters_as_they_are_shown():
    *_, shown, caret = rendered(Problem("", Mark(source("\tabc"), 0, 1, 3))).split("\n")
    assert shown == "1 | \\tabc"
    assert caret == "  |   ^^^"


def test_a_place_behind_the_end_of_the_text_is_shown_as_an_empty_line():
    assert rendered(Problem("", Mark(source("a"), line=7, column=3))).endswith("8 | \n  | ^")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[31m", "\\x1b[31m"), ("a\nb", "a\\nb"), ("\u202e", "\\u202e"), ("\ud800", "\\ud800"), ("é名", "é名")],
)
def test_characters_that_a_terminal_might_act_on_are_escaped(text, shown):
    assert escaped(text) == shown
