"""Histograms on the diagonal, scatter plots under it, on the axes of the first set."""

import numpy as np
import pytest
from PIL import Image

from wavegen.errors import UserError
from wavegen.report.corner_plot import COLOURS, corner_plot

COLUMNS = ("width", "height", "depth")


@pytest.fixture
def points():
    draw = np.random.default_rng(0)
    first = draw.normal([0, 100, -3], [1, 20, 0.1], (400, 3))
    return {"test rows": first, "samples": first[::2] + [0.5, 5, 0.01]}


def grid(figure):
    return np.array(figure.axes).reshape(len(COLUMNS), len(COLUMNS))


def test_only_the_lower_triangle_is_seen(tmp_path, drawn, points):
    corner_plot(tmp_path / "columns.png", points, COLUMNS)
    seen = [[axes.get_visible() for axes in row] for row in grid(drawn[0])]
    assert seen == [[True, False, False], [True, True, False], [True, True, True]]


def test_pairs_of_columns_are_scattered_across_and_up(tmp_path, drawn, points):
    corner_plot(tmp_path / "columns.png", points, COLUMNS)
    for row in range(3):
        for column in range(row):
            clouds = grid(drawn[0])[row, column].collections
            for cloud, values in zip(clouds, points.values(), strict=True):
                np.testing.assert_array_equal(cloud.get_offsets(), values[:, [column, row]])


def test_the_diagonal_has_every_sets_histogram_as_a_density(tmp_path, drawn, points):
    corner_plot(tmp_path / "columns.png", points, COLUMNS)
    for column in range(3):
        axes = grid(drawn[0])[column, column]
        low, high = axes.get_xlim()
        assert len(axes.patches) == 2
        for outline, values in zip(axes.patches[::-1], list(points.values())[::-1], strict=True):
            heights = outline.get_xy()[1:-1:2, 1]
            expected, edges = np.histogram(values[:, column], np.linspace(low, high, 40), density=True)
            np.testing.assert_allclose(heights, expected, rtol=1e-9)
            assert heights.sum() * (edges[1] - edges[0]) == pytest.approx(1)


def test_axes_are_those_of_the_first_set_without_its_outliers(tmp_path, drawn, points):
    points["test rows"][0] = 1e6
    points["samples"] = points["samples"] * 1.5
    corner_plot(tmp_path / "columns.png", points, COLUMNS)
    low, high = np.quantile(points["test rows"], [0.005, 0.995], axis=0)
    for row in range(3):
        for column in range(row + 1):
            axes = grid(drawn[0])[row, column]
            pad = 0.15 * (high - low)
            assert axes.get_xlim() == pytest.approx((low[column] - pad[column], high[column] + pad[column]))
            if column < row:
                assert axes.get_ylim() == pytest.approx((low[row] - pad[row], high[row] + pad[row]))
    assert grid(drawn[0])[1, 0].get_ylim()[1] < 200, "one outlier would flatten all the rest"


def test_columns_and_sets_are_named_once(tmp_path, drawn, points):
    corner_plot(tmp_path / "columns.png", points, COLUMNS)
    found = grid(drawn[0])
    assert [[axes.get_xlabel() for axes in row] for row in found[:2]] == [[""] * 3] * 2
    assert [axes.get_xlabel() for axes in found[2]] == list(COLUMNS)
    assert [row[0].get_ylabel() for row in found] == ["", "height", "depth"]
    legend = found[0, 0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["test rows", "samples"]
    assert all(axes.get_legend() is None for axes in found.ravel()[1:])
    assert len(set(COLOURS)) == len(COLOURS)


@pytest.mark.parametrize(("count", "inches"), [(1, 3.2), (3, 5.7)])
def test_one_square_picture_is_written(tmp_path, count, inches):
    points = {"rows": np.random.default_rng(0).normal(size=(50, 5))}
    corner_plot(tmp_path / "columns.png", points, ["a", "b", "c"][:count])
    picture = Image.open(tmp_path / "columns.png")
    assert (picture.format, picture.size) == ("PNG", (round(160 * inches),) * 2)
    assert [path.name for path in tmp_path.iterdir()] == ["columns.png"]


def test_a_column_that_never_changes_is_drawn(tmp_path, drawn):
    points = {"rows": np.column_stack([np.full(20, 2.0), np.arange(20.0)])}
    corner_plot(tmp_path / "columns.png", points, ["still", "moving"])
    low, high = drawn[0].axes[0].get_xlim()
    assert low < 2 < high


def test_nothing_is_left_of_a_figure_that_does_not_fit_the_disk(tmp_path, full_disk, points):
    with pytest.raises(UserError, match="cannot write .*columns.png: No space left"):
        corner_plot(tmp_path / "columns.png", points, COLUMNS)
    assert not list(tmp_path.iterdir())
