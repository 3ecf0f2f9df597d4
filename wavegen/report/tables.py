"""Formats tables as text for terminals."""

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column is aligned left, the others right.

    Example:
        >>> print("\\n".join(text_table(["net", "samples/s"], [["student", "60,000"], ["teacher", "9"]])))
        net      samples/s
        student     60,000
        teacher          9
    """
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *rows]
    ]
