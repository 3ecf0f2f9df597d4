"""What a flow over the rows of a table has learned: samples against the data, in single columns and pairs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from wavegen.report.image_figures import Shown
from wavegen.report.plots import STYLE, save

if TYPE_CHECKING:
    from wavegen.evaluation.density.evaluate import Subject

MAX_COLUMNS = 5
MAX_POINTS = 1000
COLOURS = {"test rows": "#30343b", "samples": "#d1495b"}


def table_figures(
    subject: "Subject",
    x: Tensor,
    labels: None,
    folder: Path,
    temperatures: Sequence[float],
    num_samples: int,
    seed: int,
) -> list[Shown]:
    """A corner plot of the first columns, in their original units."""
    data = subject.data
    count = min(MAX_POINTS, max(num_samples, len(x)))
    drawn = subject.generate(subject.noise(count, None), None).cpu()
    points = {
        name: (rows.double() * data.scale + data.offset).numpy()
        for name, rows in (("test rows", x[:MAX_POINTS]), ("samples", drawn))
    }
    num_columns = min(MAX_COLUMNS, data.num_features)
    size = 1.9 * num_columns
    figure = Figure(figsize=(max(3.2, size), max(3.2, size)), layout="constrained")
    grid = figure.subplots(num_columns, num_columns, squeeze=False)
    for row in range(num_columns):
        for column in range(num_columns):
            axes = grid[row, column]
            axes.set_visible(column <= row)
            if column > row:
                continue
            limits = np.quantile(points["test rows"][:, [column, row]], [0.005, 0.995], axis=0)
            pad = 0.15 * np.maximum(limits[1] - limits[0], 1e-12)
            low, high = limits[0] - pad, limits[1] + pad
            for name, rows in points.items():
                if row == column:
                    bins = np.linspace(low[0], high[0], 40)
                    axes.hist(
                        rows[:, column], bins, density=True, histtype="step", color=COLOURS[name], label=name
                    )
                else:
                    axes.scatter(rows[:, column], rows[:, row], s=2, alpha=0.4, color=COLOURS[name], lw=0)
                    axes.set_ylim(low[1], high[1])
            axes.set_xlim(low[0], high[0])
            if row == column:
                axes.set_yticks([])
            axes.tick_params(**STYLE)
            axes.locator_params(nbins=4)
            axes.spines[["top", "right"]].set_visible(False)
            if row == num_columns - 1:
                axes.set_xlabel(data.columns[column], fontsize=8)
            if column == 0 and row:
                axes.set_ylabel(data.columns[row], fontsize=8)
    grid[0, 0].legend(fontsize=7, frameon=False)
    save(figure, folder / "columns.png")
    caption = (
        "Test rows against samples: each column alone, and each pair of columns, in their original units."
    )
    if data.num_features > MAX_COLUMNS:
        caption += f" The first {MAX_COLUMNS} of {data.num_features} columns."
    return [Shown(f"{folder.name}/columns.png", "Samples", caption)]
