from hypothesis import given
from hypothesis import strategies as st

from wavegen.report.tables import text_table

CELLS = st.text("abc ,.9", max_size=6).map(str.strip)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1)))
def test_columns_are_aligned_and_nothing_is_lost(rows):
    header, *rest = [["first", *row[1:]] if i == 0 else row for i, row in enumerate(rows)]
    lines = text_table(header, rest)
    widths = [max(len(row[i]) for row in [header, *rest]) for i in range(len(header))]
    for row, line in zip([header, *rest], lines, strict=True):
        assert line == line.rstrip()
        line = line.ljust(sum(widths) + 2 * (len(widths) - 1))
        start = 0
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            piece = line[start : start + width]
            assert piece == (cell.ljust(width) if i == 0 else cell.rjust(width))
            start += width + 2
