"""Pictures are made of what commands print."""

import re
from xml.etree import ElementTree

from docs import pictures

TEXT = "{http://www.w3.org/2000/svg}text"


def test_a_picture_shows_the_lines_of_a_real_command_and_needs_nothing_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["pictures", "shapes"])
    pictures.main()
    svg = (tmp_path / "shapes.svg").read_text()
    words = [(text.text or "").replace("\xa0", " ") for text in ElementTree.fromstring(svg).iter(TEXT)]
    assert words[0] == "cnnbp shapes configs/lecture.yaml --backward"
    assert any("∂L/∂W1" in word for word in words)
    assert not re.search(r"url\((?!#)|@import|src:", svg)


def test_what_a_progress_bar_leaves_behind_is_what_stays_on_the_screen():
    output = "\x1b[?25l\x1b[2K30%\r\x1b[2Kepoch \x1b[32m1\x1b[0m\n60%\n\x1b[1A\x1b[2K\x1b[?25hend\n"
    assert pictures.left_over(output) == ["epoch \x1b[32m1\x1b[0m", "end", ""]
