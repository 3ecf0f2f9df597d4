"""Draws grids of images as PNG files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wavegen.report.page import Shown
from wavegen.report.plots import save

INK = "#30343b"
GAP = 0.12  # between images of a grid, as a share of an image's width


@dataclass(frozen=True)
class ImageGrid:
    """A grid ``(rows, columns, H, W[, 3])`` in [0, 1] with a name before each row and above each column."""

    name: str
    title: str
    caption: str
    images: np.ndarray
    row_names: Sequence[str] = ()
    column_names: Sequence[str] = ()


def draw_grid(folder: Path, grid: ImageGrid) -> Shown:
    """Write the grid to ``folder / NAME.png``."""
    images, names, columns = grid.images, grid.row_names, grid.column_names
    height, width = images.shape[2:4]
    margin = 0.25 if columns else 0.05
    figure = Figure(
        figsize=(9.2, 9.2 * images.shape[0] * height / (images.shape[1] * width + 1) + margin),
        layout="constrained",
    )
    axes = figure.add_subplot()
    show(axes, images)
    gap = max(1, round(GAP * width))
    if names:
        axes.set_yticks([(height + gap) * row + height / 2 for row in range(len(names))], names)
    if columns:
        axes.set_xticks([(width + gap) * column + width / 2 for column in range(len(columns))], columns)
        axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    return _save_shown(figure, folder, grid.name, grid.title, grid.caption)


def draw_beside(
    folder: Path, *, name: str, title: str, caption: str, panels: Mapping[str, np.ndarray], columns: int
) -> Shown:
    """Two or more panels of ``(count, H, W[, 3])`` images, each with a title and ``columns`` columns."""
    count = len(next(iter(panels.values())))
    figure = Figure(figsize=(9.2, 4.75 * count / columns**2 + 0.3), layout="constrained")
    for axes, (heading, images) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        show(axes, images.reshape(-1, columns, *images.shape[1:]))
        axes.set_title(heading, fontsize=9, loc="left", color=INK)
    return _save_shown(figure, folder, name, title, caption)


def _save_shown(figure: Figure, folder: Path, name: str, title: str, caption: str) -> Shown:
    save(figure, folder / f"{name}.png")
    return Shown(f"{folder.name}/{name}.png", title, caption)


def show(axes, images: np.ndarray) -> None:
    """Draw a grid ``(rows, columns, H, W[, 3])`` as one image with square pixels and white gaps."""
    rows, columns, height, width = images.shape[:4]
    gap = max(1, round(GAP * width))
    canvas = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[4:]))
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            canvas[top : top + height, left : left + width] = images[row, column]
    extent = (0, canvas.shape[1], canvas.shape[0], 0)
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
