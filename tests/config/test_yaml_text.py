"""What YAML's text may do to us: each trap is refused at its place, and quickly."""

import pytest

from cnnbp.config.yaml_text import DEEPEST, MOST_VALUES, TextError, read_yaml, source_of


def read(text):
    """Return the plain values, and each problem's message with what it points at."""
    problems = []
    root = read_yaml(text, source_of(text, "c.yaml"), problems)
    return root.plain(), [(problem.message, marked(problem)) for problem in problems]


def refusal_of(text):
    with pytest.raises(TextError) as raised:
        read(text)
    return raised.value.problem


def marked(problem):
    mark = problem.mark
    return mark.source.lines[mark.line][mark.column : mark.column + mark.width]


def place_of(problem):
    return problem.mark.line + 1, problem.mark.column + 1


def test_blocks_flows_quotes_and_comments_are_read_as_yaml_1_2_does():
    text = "a: 1e-3 # small\nb: [yes, 010, 1:30, null]\nc: {d: '1', e: \"\\x41\"}\nf: |\n  10\ng:\n- h\n-\n"
    values, problems = read(text)
    assert values == {
        "a": 0.001, "b": ("yes", 10, "1:30", None), "c": {"d": "1", "e": "A"}, "f": "10\n", "g": ("h", None),
    }  # fmt: skip
    assert not problems


def test_keys_are_words_as_they_are_written():
    assert read("yes: 1\n1: 2\n1e-3: 3\n~: 4\n'<<': 5\n")[0] == {"yes": 1, "1": 2, "1e-3": 3, "~": 4, "<<": 5}


def test_a_duplicate_key_is_refused_where_it_comes_again():
    values, problems = read("a: 1\nb: 2\n'a': 3\n")
    assert values == {"a": 1, "b": 2}
    assert problems == [('duplicate key "a"', "'a'")]


def test_the_same_key_in_two_mappings_is_no_duplicate():
    assert read("a: {b: 1}\nc: {b: 1}\n")[1] == []


def test_merge_keys_are_refused():
    assert read("a: &a {b: 1}\nc: {<<: *a, d: 2}\n") == (
        {"a": {"b": 1}, "c": {"d": 2}},
        [("merge keys (<<) are not allowed: write the keys out", "<<")],
    )


def test_keys_that_are_no_words_are_refused():
    assert [message for _, found in [read("? [a]\n: 1\n? {b: c}\n: 2\n")] for message, _ in found] == [
        "a key must be a word",
        "a key must be a word",
    ]


@pytest.mark.parametrize(
    "tagged", ["!!python/object/apply:os.system [ls]", "!!str 5", "! x", "!mine {a: 1}", "!!binary aa"]
)
def test_tags_are_refused(tagged):
    _, [(message, pointed)] = read(f"a: {tagged}\n")
    assert message.startswith("tags are not allowed: ")
    assert tagged.startswith(pointed)


def test_an_alias_stands_for_what_its_anchor_holds_and_for_its_own_place():
    text = "- &block {conv2d: {filters: 3}}\n- *block\n"
    assert read(text) == (({"conv2d": {"filters": 3}},) * 2, [])
    root = read_yaml(text, source_of(text, "c.yaml"), [])
    assert [child.mark.line for child in root.children] == [0, 1]


def test_an_alias_without_an_anchor_or_inside_its_own_is_refused():
    assert read("a: *nobody\n")[1] == [("the alias *nobody has no anchor before it", "*nobody")]
    assert read("a: &me [*me]\n")[1] == [("the alias *me stands inside its own anchor", "*me")]


def test_aliases_are_counted_as_what_they_stand_for():
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    problem = refusal_of(bomb)
    assert problem.message == "more than 20000 values, each alias counted as what it stands for"
    assert place_of(problem)[0] < 6


def test_merge_keys_are_refused_once():
    assert len(read("a: &a {b: 1}\nc: {<<: *a, d: 2}\ne: {<<: *a}\n")[1]) == 1


def test_a_merge_key_bomb_is_refused_like_any_other():
    bomb = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
    assert "more than 20000 values" in refusal_of(bomb).message


def test_as_many_values_as_are_allowed_are_read():
    most = MOST_VALUES - 1  # the list itself is one
    assert len(read(f"[{'1,' * most}]")[0]) == most
    assert "more than 20000 values" in refusal_of(f"[{'1,' * (most + 1)}]").message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("levels", [DEEPEST + 2, 900, 100_000])
def test_deep_nesting_ends_at_forty_levels(opening, levels):
    problem = refusal_of(opening * levels)
    assert problem.message == "nested deeper than 40 levels"
    looked_ahead = 1024  # what could be a key is read to its end, or so far; newer parsers refuse a thousand brackets
    assert problem.mark.column <= max((DEEPEST + 1) * len(opening), looked_ahead if levels > 1000 else 0)


def test_numbers_that_no_option_can_hold_are_refused_and_read_as_nothing():
    assert read(f"a: {'9' * 5000}\nb: .nan\n") == (
        {"a": None, "b": None},
        [
            ("this number is too large: whole numbers end at 2⁶³ − 1", "9" * 5000),
            ("a finite number is needed, not .nan", ".nan"),
        ],
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "   "])
def test_a_text_without_values_is_empty(text):
    assert refusal_of(text).message == "the configuration is empty"


def test_a_second_document_is_refused_where_it_begins():
    problem = refusal_of("a: 1\n---\nb: 2\n")
    assert problem.message == "a second document begins here; a configuration is one"
    assert place_of(problem) == (2, 1)


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x9b", "\ud800", "\uffff"])
def test_control_characters_and_halves_of_pairs_are_refused_where_they_stand(character):
    problem = refusal_of(f"a: 1\r\nb: x{character}\n")
    assert problem.message.endswith("is not allowed in YAML")
    assert problem.message.isprintable()
    assert place_of(problem) == (2, 5)


def test_what_is_no_yaml_is_refused_where_reading_stopped():
    problem = refusal_of("a: 1\nb: ]\n")
    assert problem.message.startswith("not YAML: ")
    assert place_of(problem) == (2, 4)


def test_what_is_not_closed_is_shown_at_the_end_of_the_text():
    assert place_of(refusal_of("a: [1\n\n\n")) == (1, 6)


def test_a_tab_that_indents_is_named():
    assert refusal_of("a:\n\tb: 1\n").hint == "a tab: indent with spaces"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_places_are_counted_as_yaml_counts_lines(newline):
    text = newline.join(["a: 1", "b: 2", "a: 3", ""])
    problems = []
    read_yaml(text, source_of(text, "c.yaml"), problems)
    assert [(place_of(problem), marked(problem)) for problem in problems] == [((3, 1), "a")]


def test_places_are_counted_in_characters():
    assert read("名前: {𝒙: 1, 𝒙: 2}\n")[1] == [('duplicate key "𝒙"', "𝒙")]
