"""Curves of a training as they were logged; figures are written whole or not at all, the same each time."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wavegen.errors import UserError
from wavegen.report.curves import Curve
from wavegen.report.plots import bare, loss_figure, save


def curve(source, values, first=0):
    values = np.asarray(values, float)
    return Curve(source, np.arange(first, first + len(values)), values)


def lines(axes):
    """What is drawn, without the empty lines that stand for the legend."""
    return [line for line in axes.get_lines() if len(line.get_xdata())]


def test_a_panel_has_its_title_and_a_line_for_every_curve(tmp_path, drawn):
    train, dev = curve("train", [3.0, 2.0, 1.0]), curve("dev", [2.5, 1.5], first=7)
    loss_figure({"teacher: loss": [train, dev], "student: kl": [train]}, tmp_path / "curves.png")
    first, second = (axes for axes in drawn[0].axes if axes.get_visible())
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("teacher: loss", "student: kl")
    for line, given in zip(lines(first), [train, dev], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), given.steps)
        np.testing.assert_array_equal(line.get_ydata(), given.values)
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["train", "dev"]
    assert len({line.get_color() for line in lines(first)}) == 2, "which line is which"


@pytest.mark.parametrize(("count", "marked"), [(1, True), (2, True), (3, False), (100, False)])
def test_a_curve_of_a_point_or_two_is_marked(tmp_path, drawn, count, marked):
    loss_figure({"a": [curve("dev", np.arange(count))]}, tmp_path / "curves.png")
    line, *_ = lines(drawn[0].axes[0])
    assert (line.get_marker() == "o") == marked


def test_a_point_alone_is_drawn_at_its_step(tmp_path, drawn):
    loss_figure(
        {"a": [curve("train", [2.5], first=9), curve("dev", [2.0], first=9)]}, tmp_path / "curves.png"
    )
    axes = drawn[0].axes[0]
    assert list(axes.get_xticks()) == [9] and axes.get_xlim() == (8, 10)
    low, high = axes.get_ylim()
    assert low < 2.0 and 2.5 < high < 5
    drawn[0].canvas.draw()
    (picture,) = (np.asarray(axes.figure.canvas.buffer_rgba()),)
    red = (np.abs(picture[..., :3].astype(int) - (0xD1, 0x49, 0x5B)).max(-1) < 40).sum()
    assert red > 20, "more than the line in the legend"


@pytest.mark.parametrize("values", [[4.0866], [4.086628, 4.086632], [-4.0866, -4.0866, -4.0866]])
def test_values_that_are_equal_but_for_rounding_have_plain_ticks(tmp_path, drawn, values):
    loss_figure({"a": [curve("train", values)]}, tmp_path / "curves.png")
    axes = drawn[0].axes[0]
    low, high = axes.get_ylim()
    assert low < min(values) and max(values) < high and 0.05 * 4 < high - low < 1
    assert axes.yaxis.get_major_formatter().get_offset() == ""


def test_steps_are_whole_numbers(tmp_path, drawn):
    loss_figure({"a": [curve("train", [3.0, 2.0, 1.0])]}, tmp_path / "curves.png")
    ticks = drawn[0].axes[0].get_xticks()
    assert len(ticks) > 1 and all(tick == round(tick) for tick in ticks)


def test_a_long_curve_is_faint_behind_its_running_mean(tmp_path, drawn):
    short = curve("train", np.ones(60))
    long = curve("train", np.random.default_rng(0).normal(5, 1, 61))
    loss_figure({"short": [short], "long": [long]}, tmp_path / "curves.png")
    (alone,) = lines(drawn[0].axes[0])
    assert alone.get_alpha() == 1
    noisy, smooth = lines(drawn[0].axes[1])
    assert noisy.get_alpha() < 0.5 and noisy.get_color() == smooth.get_color()
    np.testing.assert_array_equal(noisy.get_ydata(), long.values)
    np.testing.assert_array_equal(smooth.get_ydata(), long.running_mean())


def test_the_height_of_the_first_steps_does_not_flatten_the_rest(tmp_path, drawn):
    tail = np.linspace(1, 2, 299)
    loss_figure({"a": [curve("train", [1e6, *tail])]}, tmp_path / "curves.png")
    low, high = drawn[0].axes[0].get_ylim()
    assert low < 1 and 1.9 < high < 2.5


def test_a_level_curve_keeps_axes_of_its_own(tmp_path, drawn):
    loss_figure({"a": [curve("train", np.full(40, 3.0))]}, tmp_path / "curves.png")
    low, high = drawn[0].axes[0].get_ylim()
    assert low < 3 < high


@pytest.mark.parametrize(("count", "grid"), [(1, (1, 2)), (2, (1, 2)), (3, (1, 3)), (4, (2, 3))])
def test_panels_fill_rows_of_three_and_empty_places_stay_empty(tmp_path, drawn, count, grid):
    panels = {f"panel {index}": [curve("train", [1.0, 2.0])] for index in range(count)}
    loss_figure(panels, tmp_path / "curves.png")
    axes = drawn[0].axes
    assert len(axes) == grid[0] * grid[1] and axes[0].get_gridspec().get_geometry() == grid
    assert [one.get_visible() for one in axes] == [True] * count + [False] * (len(axes) - count)
    width, height = Image.open(tmp_path / "curves.png").size
    assert (width, height) == (1472, round(336 * grid[0]))


def small_figure():
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1])
    return figure


def test_the_same_figure_gives_the_same_bytes_of_the_size_asked_for(tmp_path):
    for name in ("a.png", "b.png"):
        save(small_figure(), tmp_path / "figures" / name, dpi=50)
    first, second = (tmp_path / "figures" / name for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    picture = Image.open(first)
    assert (picture.format, picture.size) == ("PNG", (100, 50)) and "Software" not in picture.info
    save(small_figure(), tmp_path / "c.png")
    assert Image.open(tmp_path / "c.png").size == (320, 160)


def test_a_figure_that_cannot_be_finished_leaves_what_was_there(tmp_path, full_disk):
    path = tmp_path / "curves.png"
    path.write_bytes(b"the last one")
    for place in (path, tmp_path / "new.png"):
        with pytest.raises(UserError, match=f"cannot write {place}: No space left"):
            save(small_figure(), place)
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [
        ("curves.png", b"the last one")
    ]


def test_a_defect_while_drawing_leaves_nothing_behind(tmp_path, monkeypatch):
    def draw(*arguments):
        raise ZeroDivisionError

    figure = small_figure()
    monkeypatch.setattr(figure, "draw", draw)
    with pytest.raises(ZeroDivisionError):
        save(figure, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_bare_axes_have_two_sides_and_lines_behind_the_data():
    axes = Figure().add_subplot()
    bare(axes)
    assert {side for side, spine in axes.spines.items() if spine.get_visible()} == {"left", "bottom"}
    assert axes.get_axisbelow() is True
    assert all(line.get_visible() for line in axes.get_ygridlines())
    assert not any(line.get_visible() for line in axes.get_xgridlines())
