"""Images stand in their rows and columns: pixels of the canvas, and of the file."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wavegen.errors import UserError
from wavegen.report.image_grids import ImageGrid, draw_beside, draw_grid, show


def levels(rows, columns, height=4, width=6, channels=()):
    """Each image of one level of its own, from dark to light."""
    count = rows * columns
    level = np.linspace(0.1, 0.8, count).reshape(rows, columns, 1, 1, *(1 for _ in channels))
    return np.broadcast_to(level, (rows, columns, height, width, *channels)).copy()


def canvas(axes):
    (image,) = axes.get_images()
    return np.asarray(image.get_array())


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(("width", "gap"), [(6, 1), (20, 2)])
def test_every_image_stands_at_its_place_and_white_between(width, gap, channels):
    images = np.random.default_rng(0).uniform(0, 0.9, (2, 3, 5, width, *channels))
    axes = Figure().add_subplot()
    show(axes, images)
    pixels = canvas(axes)
    assert pixels.shape == (2 * 5 + gap, 3 * width + 2 * gap, *channels)
    covered = np.zeros(pixels.shape, bool)
    for row in range(2):
        for column in range(3):
            place = np.s_[row * (5 + gap) :, column * (width + gap) :]
            np.testing.assert_array_equal(pixels[place][:5, :width], images[row, column])
            covered[place][:5, :width] = True
    assert (pixels[~covered] == 1).all() and not covered.all()
    assert axes.get_images()[0].get_clim() == (0, 1), "levels mean the same in every figure"


def panel_pixels(path, figure, axes):
    """``(x, y) -> level`` of a saved file, by the data coordinates of an axes."""
    picture = np.asarray(Image.open(path).convert("L"), float) / 255
    scale = picture.shape[0] / figure.bbox.height

    def at(x, y):
        across, up = axes.transData.transform((x, y)) * scale
        return picture[picture.shape[0] - 1 - int(up), int(across)]

    return at


@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_files_pixels_are_the_images(tmp_path, drawn, channels):
    images = levels(2, 3, channels=channels)
    shown = draw_grid(tmp_path, ImageGrid("faces", "Faces", "Two rows.", images, ["a", "b"], ["x", "y", "z"]))
    assert (shown.file, shown.title, shown.caption) == (f"{tmp_path.name}/faces.png", "Faces", "Two rows.")
    assert [path.name for path in tmp_path.iterdir()] == ["faces.png"]
    (figure,) = drawn
    (axes,) = figure.axes
    at = panel_pixels(tmp_path / "faces.png", figure, axes)
    for row in range(2):
        for column in range(3):
            centre = (7 * column + 3, 5 * row + 2)
            assert at(*centre) == pytest.approx(images[row, column].flat[0], abs=0.01)
    assert at(6.5, 2) == at(3, 4.5) == 1.0


def test_a_file_is_as_wide_as_every_other_and_as_high_as_its_images(tmp_path):
    """9.2 inches at 160 dots; a row of names above takes a fifth of an inch more than none."""
    draw_grid(tmp_path, ImageGrid("low", "", "", levels(1, 4)))
    draw_grid(tmp_path, ImageGrid("high", "", "", levels(3, 4)))
    draw_grid(tmp_path, ImageGrid("named", "", "", levels(3, 4), column_names="abcd"))
    sizes = [Image.open(tmp_path / f"{name}.png").size for name in ("low", "high", "named")]
    assert {width for width, _ in sizes} == {1472}
    for (_, height), rows, margin in zip(sizes, (1, 3, 3), (0.05, 0.05, 0.25), strict=True):
        assert height == pytest.approx(160 * (9.2 * rows * 4 / (4 * 6 + 1) + margin), abs=1)


def test_names_stand_before_the_middle_of_rows_and_above_that_of_columns(tmp_path, drawn):
    draw_grid(tmp_path, ImageGrid("a", "", "", levels(2, 3), ["up", "down"], ["x", "y", "z"]))
    (axes,) = drawn[0].axes
    assert [(t.get_text(), t.get_position()[1]) for t in axes.get_yticklabels()] == [("up", 2), ("down", 7)]
    assert [(t.get_text(), t.get_position()[0]) for t in axes.get_xticklabels()] == [
        ("x", 3),
        ("y", 10),
        ("z", 17),
    ]
    assert axes.xaxis.get_ticks_position() == "top"


def test_panels_stand_beside_each_other_under_their_titles(tmp_path, drawn):
    left, right = levels(3, 2).reshape(6, 4, 6), levels(3, 2).reshape(6, 4, 6)[::-1]
    panels = {"test images": left, "samples": right}
    shown = draw_beside(tmp_path, name="both", title="Both", caption="Beside.", panels=panels, columns=2)
    assert (shown.file, shown.title, shown.caption) == (f"{tmp_path.name}/both.png", "Both", "Beside.")
    assert [path.name for path in tmp_path.iterdir()] == ["both.png"]
    first, second = drawn[0].axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["test images", "samples"]
    assert first.get_position().x1 <= second.get_position().x0
    for axes, images in ((first, left), (second, right)):
        at = panel_pixels(tmp_path / "both.png", drawn[0], axes)
        for index, image in enumerate(images):
            centre = (7 * (index % 2) + 3, 5 * (index // 2) + 2)
            assert at(*centre) == pytest.approx(image.flat[0], abs=0.01)


def test_nothing_is_left_of_a_figure_that_does_not_fit_the_disk(tmp_path, full_disk):
    with pytest.raises(UserError, match="cannot write .*faces.png: No space left"):
        draw_grid(tmp_path, ImageGrid("faces", "", "", levels(1, 2)))
    assert not list(tmp_path.iterdir())
