"""The benchmark's picture: a panel for every section that was run, with the numbers it found."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wavegen.benchmark.figure import COLOURS, benchmark_figure
from wavegen.benchmark.peer import PEER
from wavegen.errors import UserError

SETTINGS = {"sample_rate": 16_000}


def rate(subject, value, *, precision="float32", batch_size=1, threads=2):
    labels = {"subject": subject, "precision": precision, "batch_size": batch_size, "threads": threads}
    return {**labels, "samples_per_second": value, "lowest": 0.9 * value, "highest": 1.2 * value}


RATES = [
    rate("student, engine", 234_567.0),
    rate(PEER, 90.0, threads=1),
    rate(PEER, 60.0, threads=2),
    rate("teacher, engine", 5000.0, threads=1),
    rate("teacher, engine", 9000.0, threads=2),
    rate("teacher, engine", 20_000.0, precision="bfloat16", batch_size=16),
]

LENGTHS = {
    "streams": [
        {"length_s": 1.0, "seconds": [3.0, 2.0, 2.5]},
        {"length_s": 10.0, "seconds": [21.0, 19.0]},
    ],
    "seconds_at_0": 0.5,
    "seconds_per_s": 2.0,
}

SHAPES = [
    {"subject": "teacher, engine", "layers": 10, "samples_per_second": 900.0},
    {"subject": "teacher, engine", "layers": 30, "samples_per_second": 300.0},
    {"subject": "student, engine", "layers": 10, "samples_per_second": 9000.0},
    {"subject": "teacher, engine", "channels": 64, "samples_per_second": 800.0},
    {"subject": "teacher, engine", "channels": 128, "samples_per_second": 200.0},
]


def panels(figure):
    return {axes.get_xlabel(): axes for axes in figure.axes}


def drawn_of(results, path, drawn):
    benchmark_figure({"settings": SETTINGS, **results}, path / "benchmark.png")
    return panels(drawn[-1])


def points(line):
    return list(zip(*(np.asarray(one).tolist() for one in line.get_data()), strict=True))


def test_bars_are_the_best_of_threads_from_slow_to_fast(tmp_path, drawn):
    (axes,) = drawn_of({"rates": RATES}, tmp_path, drawn).values()
    assert [bar.get_width() for bar in axes.patches] == [90.0, 9000.0, 20_000.0, 234_567.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        f"{PEER}, float32",
        "teacher, engine, float32",
        "teacher, engine, 16 utterances, bfloat16",
        "student, engine, float32",
    ]
    assert [text.get_text() for text in axes.texts] == [
        "90",
        "9,000",
        "20,000",
        "235,000",
        "real time at 16 kHz",
    ]
    low, high = axes.get_xlim()
    assert axes.get_xscale() == "log" and low < 0.9 * 90 and high > 1.2 * 234_567


def test_bars_end_in_the_spread_that_was_measured(tmp_path, drawn):
    (axes,) = drawn_of({"rates": RATES}, tmp_path, drawn).values()
    (spread,) = (one for one in axes.collections if len(one.get_segments()) == 4)
    for segment, bar in zip(spread.get_segments(), axes.patches, strict=True):
        assert segment[:, 0] == pytest.approx([0.9 * bar.get_width(), 1.2 * bar.get_width()])


def test_real_time_is_a_line_at_the_sample_rate(tmp_path, drawn):
    (axes,) = drawn_of({"rates": RATES[1:3]}, tmp_path, drawn).values()
    (line,) = (line for line in axes.get_lines() if list(line.get_xdata()) == [16_000, 16_000])
    assert axes.get_xlim()[1] > 16_000, "seen, though everything is slower"
    assert line.get_linestyle() == "--"


def test_lengths_are_medians_with_their_line(tmp_path, drawn):
    (axes,) = drawn_of({"teacher_length": LENGTHS}, tmp_path, drawn).values()
    medians, fitted, real_time = axes.get_lines()
    assert points(medians) == [(1.0, 2.5), (10.0, 20.0)]
    assert points(fitted) == [(1.0, 2.5), (10.0, 20.5)]
    assert points(real_time) == [(1.0, 1.0), (10.0, 10.0)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("seconds of speech", "seconds of synthesis")
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["teacher", "real time"]


def test_lengths_too_few_for_a_line_are_points(tmp_path, drawn):
    one = {"streams": LENGTHS["streams"][:1]}
    (axes,) = drawn_of({"student_length": one}, tmp_path, drawn).values()
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [1, 2]
    assert axes.get_lines()[0].get_color() == COLOURS["student"]


def test_depth_and_width_have_a_panel_each(tmp_path, drawn):
    found = drawn_of({"shape": SHAPES}, tmp_path, drawn)
    assert set(found) == {"layers", "residual channels"}
    teacher, student = found["layers"].get_lines()
    assert points(teacher) == [(10, 900.0), (30, 300.0)] and points(student) == [(10, 9000.0)]
    assert (teacher.get_color(), student.get_color()) == (COLOURS["teacher"], COLOURS["student"])
    (width,) = found["residual channels"].get_lines()
    assert points(width) == [(64, 800.0), (128, 200.0)]
    ticks = [label.get_text() for label in found["residual channels"].get_xticklabels()]
    assert ticks == ["64", "128"]


def test_where_nothing_speaks_the_products_are_shown(tmp_path, drawn):
    peak = [
        {"matrix_size": size, "precision": precision, "operations_per_second": value}
        for precision, size, value in [("float32", 512, 4e9), ("float32", 64, 1e9), ("bfloat16", 64, 2.5e9)]
    ]
    (axes,) = drawn_of({"peak": peak}, tmp_path, drawn).values()
    assert [points(line) for line in axes.get_lines()] == [[(64, 1.0), (512, 4.0)], [(64, 2.5)]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["float32", "bfloat16"]
    assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("sections", "inches"),
    [(("rates", "lengths", "shape"), 10.4), (("rates",), 6.2), (("lengths",), 6.2), ((), 6.2)],
)
def test_one_picture_is_written_with_a_column_for_what_there_is(tmp_path, drawn, sections, inches):
    parts = {"rates": {"rates": RATES}, "lengths": {"student_length": LENGTHS}, "shape": {"shape": SHAPES}}
    results = {key: value for name in sections for key, value in parts[name].items()}
    found = drawn_of(results, tmp_path, drawn)
    assert len(found) == max(1, len(sections) + ("shape" in sections))
    picture = Image.open(tmp_path / "benchmark.png")
    assert (picture.format, picture.size) == ("PNG", (round(160 * inches), round(160 * 5.4)))
    assert [path.name for path in tmp_path.iterdir()] == ["benchmark.png"]


def test_the_results_in_the_repository_are_drawn(tmp_path, drawn):
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "speed.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    benchmark_figure(results, tmp_path / "benchmark.png")
    bars = panels(drawn[0])["samples per second, all utterances together"].patches
    fastest = max(record["samples_per_second"] for record in results["rates"])
    assert math.isclose(bars[-1].get_width(), fastest)
    assert len(panels(drawn[0])) == 4


def test_nothing_is_left_of_a_figure_that_does_not_fit_the_disk(tmp_path, full_disk):
    with pytest.raises(UserError, match="cannot write .*benchmark.png: No space left"):
        benchmark_figure({"settings": SETTINGS, "rates": RATES}, tmp_path / "benchmark.png")
    assert not list(tmp_path.iterdir())
