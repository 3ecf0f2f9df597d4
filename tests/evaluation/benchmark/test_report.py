import pytest

from wavegen.evaluation.benchmark.report import number, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (123_456.0, "123,000"),
        (105.4, "105"),
        (99.96, "100"),
        (2.345, "2.35"),
        (0.01234, "0.0123"),
    ],
)
def test_three_digits_count(value, text):
    assert number(value) == text


def test_columns_are_aligned():
    assert table(["what", "n"], [["a", "1"], ["longer", "100"]]) == [
        "what      n",
        "a         1",
        "longer  100",
    ]
