"""What `cnnbp data` shows: the images of each class and split, what they are like, and what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from cnnbp.data.inventory import Inventory, SizeCount
from cnnbp.report.console import one_line
from cnnbp.report.tables import Column, print_table

_MOST_SIZES = 5


def draw_inventory(inventory: Inventory, console: Console) -> None:
    """Show the counts, then every image that cannot be read, and every one that is in two splits."""
    _draw_classes(inventory, console)
    for name, line in _lines(inventory):
        _draw_line(f"{name:<9}", line, console)
    if inventory.dead_links:
        _draw_list("Links that lead nowhere", [*map(one_line, inventory.dead_links)], console)
    if inventory.bad:
        _draw_list(
            "Images that cannot be read",
            [f"{one_line(bad.name)}: {one_line(bad.reason)}" for bad in inventory.bad],
            console,
        )
    for title, pairs in (
        ("The same image in two splits: it does not validate or test", inventory.duplicates),
        ("The same image in two classes", inventory.twins),
        ("The same image twice in a class", inventory.copies),
    ):
        if pairs:
            _draw_list(title, [f"{one_line(first)} is also {one_line(second)}" for first, second in pairs], console)


def _draw_line(name: str, line: str, console: Console) -> None:
    """Show a line behind its name, and what is too long for the terminal below its beginning."""
    for part in Text(line).wrap(console, max(console.width - len(name), 1)):
        part.rstrip()
        console.print(Text.assemble((name, "bold"), part), soft_wrap=True)
        name = " " * len(name)


def _draw_list(title: str, lines: Sequence[str], console: Console) -> None:
    """Show lines that may be longer than the terminal is wide; a table would leave out a column."""
    console.print()
    console.print(title, style="bold")
    for line in lines:
        console.print(line, soft_wrap=True)


def _draw_classes(inventory: Inventory, console: Console) -> None:
    columns = [Column("class", [*map(one_line, inventory.classes), Text("images", "bold")])]
    for split, counts in inventory.splits.items():
        columns.append(Column(split, [*map(str, counts.values()), Text(str(sum(counts.values())), "bold")], "right"))
    print_table(console, columns)


def _lines(inventory: Inventory) -> Iterator[tuple[str, str]]:
    yield "sizes", _sizes(inventory.sizes)
    yield "pixels", _counts(inventory.modes)
    yield "formats", _counts(inventory.formats)
    for remark in inventory.remarks:
        yield "note", one_line(remark)
    for note, images in inventory.notes.items():
        yield "note", f"{images} images {note}"
    for links, number in inventory.followed.items():
        yield "followed", f"{number} {links}"
    for reason, number in inventory.skipped.items():
        yield "skipped", f"{number} {reason}"


def _sizes(sizes: Sequence[SizeCount]) -> str:
    """Name the most frequent sizes, and how far the others reach."""
    named = ", ".join(f"{size.width}×{size.height} ({size.images})" for size in sizes[:_MOST_SIZES])
    others = sizes[_MOST_SIZES:]
    if not others:
        return named
    widths, heights = [size.width for size in others], [size.height for size in others]
    reach = f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"
    return f"{named}, and {len(others)} more: {reach} ({sum(size.images for size in others)})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{one_line(what)} ({number})" for what, number in counts.items())
