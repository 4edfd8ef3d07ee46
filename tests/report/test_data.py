from cnnbp.data.inventory import take_inventory
from cnnbp.report.data import draw_inventory
from tests.data.images import noise, save
from tests.report.paper import printed


def test_a_mixed_folder_is_summed_up_line_by_line(tmp_path):
    for side in range(4, 12):
        save(tmp_path / "elsewhere" / f"{side}.png", noise(side, side))
    save(tmp_path / "images" / "b" / "clear.png", noise(4, 4, 4))
    (tmp_path / "images" / "b" / "link.png").symlink_to(tmp_path / "elsewhere" / "4.png")
    (tmp_path / "images" / "a").symlink_to(tmp_path / "elsewhere")
    lines = printed(draw_inventory, take_inventory(tmp_path / "images"))
    assert any(line.startswith("sizes") and " more: " in line for line in lines)
    assert "note     1 images transparent in places, put on the background" in lines
    assert any(line.startswith("followed") for line in lines)


def test_a_line_too_long_for_the_terminal_goes_on_below_its_beginning(tmp_path):
    for side in range(4, 12):
        save(tmp_path / "a" / f"{side}.png", noise(side, side))
        save(tmp_path / "b" / f"{side}.png", noise(side, side, 3))
    lines = printed(draw_inventory, take_inventory(tmp_path), width=40)
    start = next(index for index, line in enumerate(lines) if line.startswith("sizes"))
    assert all(line.startswith(" " * 9) and line[9] != " " for line in lines[start + 1 : start + 3])
    assert max(map(len, lines)) <= 40
