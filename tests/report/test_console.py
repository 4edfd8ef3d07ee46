from rich.text import Text

from cnnbp.report.console import notes_console, print_error, printable, results_console


def test_results_go_to_stdout_and_notes_to_stderr(capsys):
    results_console().print("result")
    notes_console().print("note")
    notes_console(quiet=True).print("silence")
    assert capsys.readouterr() == ("result\n", "note\n")


def test_neither_markup_nor_emoji_codes_are_acted_on(capsys):
    results_console().print("[red]:smile:[/red]", Text("[bold]"))
    assert capsys.readouterr().out == "[red]:smile:[/red] [bold]\n"


def test_a_line_is_not_wrapped_where_there_is_no_terminal(capsys):
    results_console().print("word " * 150)
    assert capsys.readouterr().out.count("\n") == 1


def test_an_error_cannot_send_codes_to_the_terminal(capsys):
    print_error("no \x1b[2J such\n  class \u202e")
    assert capsys.readouterr().err == "error: no \\x1b[2J such\n  class \\u202e\n"


def test_what_a_terminal_can_show_stays_as_it_is():
    assert printable("∂L/∂W1 → 猫\n") == "∂L/∂W1 → 猫\n"
