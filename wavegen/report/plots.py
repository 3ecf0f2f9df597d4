"""Common parts of all figures: style of axes, the curves of a training, and saving as PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wavegen.files import atomic_path
from wavegen.report.curves import Curve

FEW = 3  # points of a curve, fewer of which are marked
ROUNDING = 1e-5  # of the values: a smaller range of them says nothing
STYLE: dict[str, Any] = {"labelcolor": "#30343b", "labelsize": 8}


def loss_figure(panels: Mapping[str, Sequence[Curve]], path: Path) -> None:
    """One panel per quantity, one line per curve; long curves are faint, with their running mean."""
    columns = min(3, max(2, len(panels)))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(9.2, 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    shades = {"train": "#9aa7b8", "dev": "#d1495b", "spoken": "#1769aa"}
    for axes, (title, curves) in zip(grid, panels.items(), strict=False):
        for curve in curves:
            colour = shades.get(curve.source, "#1769aa")
            smooth = len(curve.values) > 60
            axes.plot(
                curve.steps,
                curve.values,
                color=colour,
                alpha=0.3 if smooth else 1,
                linewidth=1,
                marker="o" if len(curve.values) < FEW else None,  # a line through one point is invisible
                markersize=3,
                zorder=1,
            )
            if smooth:
                axes.plot(curve.steps, curve.running_mean(), color=colour, linewidth=1.5)
            axes.plot([], [], color=colour, label=curve.source)
        set_limits(axes, curves)
        axes.set_title(title, fontsize=8, loc="left")
        axes.tick_params(**STYLE)
        axes.legend(fontsize=7, frameon=False)
        bare(axes)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    save(figure, path)


def set_limits(axes: Axes, curves: Sequence[Curve]) -> None:
    """Ranges of steps and values in which ticks mean something."""
    steps, values = (
        np.concatenate([getattr(curve, name) for curve in curves]) for name in ("steps", "values")
    )
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if np.ptp(steps) == 0:
        axes.set_xlim(steps[0] - 1, steps[0] + 1)
        axes.set_xticks([steps[0]])
    middle, size = (values.max() + values.min()) / 2, np.abs(values).max()
    if np.ptp(values) < ROUNDING * size:
        axes.set_ylim(middle - 0.05 * size, middle + 0.05 * size)
    elif len(values) > 20:  # the high values of the first steps would flatten the rest
        low, high = np.nanpercentile(values, [0, 98])
        if high > low:
            axes.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))


def bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e6ea", linewidth=0.6)
    axes.set_axisbelow(True)


def save(figure: Figure, path: Path, *, dpi: int = 160) -> None:
    """Write the figure atomically as a PNG file."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        # Without metadata, the same numbers give the same bytes.
        figure.savefig(temporary, format="png", dpi=dpi, metadata={"Software": None})
