"""Prints a table, with rich where that is installed."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]
Group = Sequence[Row]

TEXT_COLUMNS = 2  # the first ones; the others hold figures


def show(header: Row, groups: Sequence[Group]) -> None:
    """Print groups of rows, set apart from each other, below a header."""
    try:
        import rich.box
        import rich.console
        import rich.table
    except ImportError:
        print(f"\n{plain(header, groups)}\n")  # rich, too, leaves a line free above and below
        return
    table = rich.table.Table(box=rich.box.SIMPLE)
    for index, heading in enumerate(header):
        table.add_column(heading, justify="left" if index < TEXT_COLUMNS else "right")
    for group in groups:
        for row in group:
            table.add_row(*row, end_section=row is group[-1])
    rich.console.Console(highlight=False).print(table)


def plain(header: Row, groups: Sequence[Group]) -> str:
    """The table as text.

    >>> print(plain(("fruit", "taste", "grams"), [[("plum", "sweet", "40")], [("melon", "", "2,000")]]))
    fruit  taste  grams
    <BLANKLINE>
    plum   sweet     40
    <BLANKLINE>
    melon         2,000
    """
    every_row = [header, *(row for group in groups for row in group)]
    widths = [max(len(cell) for cell in column) for column in zip(*every_row, strict=True)]

    def line(row: Row) -> str:
        cells = [
            cell.ljust(width) if index < TEXT_COLUMNS else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n\n".join("\n".join(map(line, group)) for group in [[header], *groups])
