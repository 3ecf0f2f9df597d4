"""Draws a corner plot of several sets of points: single columns and pairs of columns, as a PNG file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wavegen.report.plots import STYLE, save

COLOURS = ("#30343b", "#d1495b", "#1769aa")


def corner_plot(path: Path, points: Mapping[str, np.ndarray], columns: Sequence[str]) -> None:
    """Histograms on the diagonal, scatter plots under it.

    Args:
        path: of the PNG file.
        points: by name, ``(rows, columns)``; the first set determines the ranges of the axes.
        columns: names of the columns.
    """
    count = len(columns)
    size = max(3.2, 1.9 * count)
    figure = Figure(figsize=(size, size), layout="constrained")
    grid = figure.subplots(count, count, squeeze=False)
    first = next(iter(points.values()))
    low, high = np.quantile(first[:, :count], [0.005, 0.995], axis=0)
    pad = 0.15 * np.maximum(high - low, 1e-12)
    low, high = low - pad, high + pad
    for row in range(count):
        for column in range(count):
            axes = grid[row, column]
            axes.set_visible(column <= row)
            if column > row:
                continue
            for (name, values), colour in zip(points.items(), COLOURS, strict=False):
                if row == column:
                    bins = np.linspace(low[column], high[column], 40)
                    inside = np.histogram(values[:, column], bins)[0].any()  # else there is no density
                    style = {"density": bool(inside), "histtype": "step", "color": colour}
                    axes.hist(values[:, column], bins, label=name, **style)
                else:
                    axes.scatter(values[:, column], values[:, row], s=2, alpha=0.4, color=colour, lw=0)
                    axes.set_ylim(low[row], high[row])
            axes.set_xlim(low[column], high[column])
            if row == column:
                axes.set_yticks([])
            axes.tick_params(**STYLE)
            axes.locator_params(nbins=4)
            axes.spines[["top", "right"]].set_visible(False)
            if row == count - 1:
                axes.set_xlabel(columns[column], fontsize=8)
            if column == 0 and row:
                axes.set_ylabel(columns[row], fontsize=8)
    grid[0, 0].legend(fontsize=7, frameon=False)
    save(figure, path)
