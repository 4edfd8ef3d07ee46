import ast

from cnnbp.cli.streams import _PLAIN
from tests.cli.command import ROOT

BRAILLE = range(0x2800, 0x2900)


def shown_characters():
    """Yield what is not ASCII in the texts of what is shown, other than documentation."""
    for folder in ("report", "inspect", "cli", "training"):
        for file in sorted((ROOT / "cnnbp" / folder).glob("*.py")):
            tree = ast.parse(file.read_text())
            documentation = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                    yield from ((file.name, c) for c in node.value if not c.isascii() and ord(c) not in BRAILLE)


def test_every_character_that_is_shown_has_a_plain_one_that_looks_like_it():
    assert {(file, c) for file, c in shown_characters() if ord(c) not in _PLAIN} == set()
