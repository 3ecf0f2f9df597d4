import json
from pathlib import Path

import pytest

from wavegen.benchmark.report import Report, number, warnings_of
from wavegen.report.tables import text_table


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


def test_warnings_are_noted_once_a_subject():
    slow = {"subject": "engine", "warnings": ["speaks step by step"]}
    results = {"rates": [slow, slow, {"subject": "student", "warnings": []}], "shape": [slow]}
    assert warnings_of(results) == ["engine: speaks step by step"]


def test_a_file_of_the_first_layout_is_read(tmp_path, capsys):
    """That of the figures in benchmarks/README.md."""
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "speed.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    Report(tmp_path).finish(results)
    printed = capsys.readouterr().out
    assert results["machine"]["processor"] in printed and "× uncached" in printed
    assert "left out" not in printed and "To end within" not in printed
    again = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))
    assert again["headlines"] == results["headlines"]


def test_columns_are_aligned():
    assert text_table(["what", "n"], [["a", "1"], ["longer", "100"]]) == [
        "what      n",
        "a         1",
        "longer  100",
    ]
