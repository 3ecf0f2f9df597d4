"""Draws densities of the plane side by side, as PNG files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from wavegen.report.plots import save

INK = "#30343b"
FAINT = "#7b828e"
COLOURS = "magma"
PANEL = 1.55  # inches
SHOWN = 2500  # samples in a scatter

TITLES = {
    "iaf": "IAF",
    "maf": "MAF",
    "neural_spline": "neural spline",
    "planar": "planar",
    "radial": "radial",
    "real_nvp": "RealNVP",
    "sylvester": "Sylvester",
}
DIRECTIONS = {
    "forward": "q by forward KL",
    "reverse": "q by reverse KL",
}


def nats(value: float) -> str:
    """Three decimals, or two significant digits for values of 100 and above."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1e}"


def gallery_figure(
    pictures: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, float], path: Path
) -> None:
    """One column per data set; rows are samples, the data's density, and every model's, with held-out nats.

    The densities of a column share one colour scale, from 0 to a little above the 99.5 % quantile of the
    data's pixels, so that the brightness of models and data is comparable.

    Args:
        pictures: by data set ``extent``, ``samples`` ``(N, 2)``, ``density`` and ``models`` (densities by
            name), each square, the lowest row first.
        metrics: ``<data>/<model or data>/log_likelihood`` and its ``_standard_error``.
    """
    models = list(dict.fromkeys(model for picture in pictures.values() for model in picture["models"]))
    rows = ["samples", "density", *models]
    figure, grid = _panels(len(rows), len(pictures))
    for column, (data, picture) in enumerate(pictures.items()):
        top = _ceiling(picture["density"])
        grid[0][column].set_title(data.replace("_", " "), fontsize=11, color=INK, pad=6, weight="bold")
        for row, name in enumerate(rows):
            axes = grid[row][column]
            if name == "samples":
                _scatter(axes, picture["samples"], picture["extent"])
                continue
            density = picture["density"] if name == "density" else picture["models"].get(name)
            if density is None:
                axes.set_visible(False)
                continue
            _density(axes, density, picture["extent"], top)
            key = f"{data}/{'data' if name == 'density' else name}/log_likelihood"
            value, error = metrics[key], metrics[f"{key}_standard_error"]
            _note(axes, f"{value:.3f} ± {error:.3f}")
    labels = ["data", "their density", *(TITLES.get(model, model.replace("_", " ")) for model in models)]
    for row, label in enumerate(labels):
        grid[row][0].set_ylabel(label, fontsize=10, color=INK, labelpad=6)
    figure.supxlabel("nats of held-out data ± standard error", fontsize=7.5, color=FAINT)
    save(figure, path, dpi=150)


def duality_figure(
    pictures: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, float], path: Path
) -> None:
    """One row per target: its density and samples, then those of each fit, with both divergences.

    Args:
        pictures: by target ``extent``, ``samples``, ``density`` and ``fits``, by direction a mapping of
            ``samples`` and ``density``.
        metrics: ``<target>/<direction>/kl_target_model`` and ``kl_model_target``.
    """
    directions = list(dict.fromkeys(name for picture in pictures.values() for name in picture["fits"]))
    figure, grid = _panels(len(pictures), 2 + 2 * len(directions))
    for row, (name, picture) in zip(grid, pictures.items(), strict=True):
        top = _ceiling(picture["density"])
        row[0].set_ylabel(name.replace("_", " "), fontsize=10, color=INK, labelpad=6, weight="bold")
        _density(row[0], picture["density"], picture["extent"], top)
        _scatter(row[1], picture["samples"], picture["extent"])
        for index, direction in enumerate(directions):
            fit, left, right = picture["fits"][direction], row[2 + 2 * index], row[3 + 2 * index]
            _density(left, fit["density"], picture["extent"], top)
            _scatter(right, fit["samples"], picture["extent"])
            _note(left, "KL(p‖q) " + nats(metrics[f"{name}/{direction}/kl_target_model"]))
            _note(right, "KL(q‖p) " + nats(metrics[f"{name}/{direction}/kl_model_target"]))
    grid[0][0].set_title("target p", fontsize=10, color=INK, pad=6)
    grid[0][1].set_title("samples of p", fontsize=10, color=INK, pad=6)
    for index, direction in enumerate(directions):
        grid[0][2 + 2 * index].set_title(DIRECTIONS.get(direction, direction), fontsize=10, color=INK, pad=6)
        grid[0][3 + 2 * index].set_title("samples of q", fontsize=10, color=INK, pad=6)
    save(figure, path, dpi=150)


def _panels(num_rows: int, num_columns: int) -> tuple[Figure, np.ndarray]:
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(num_columns * PANEL + 0.4, num_rows * (PANEL + 0.16) + 0.4), layout=layout)
    return figure, figure.subplots(num_rows, num_columns, squeeze=False)


def _ceiling(density: np.ndarray) -> float:
    return 1.15 * float(np.quantile(density, 0.995))


def _density(axes: Axes, density: np.ndarray, extent: float, top: float) -> None:
    axes.imshow(
        density,
        origin="lower",
        extent=(-extent, extent, -extent, extent),
        cmap=COLOURS,
        vmin=0,
        vmax=top,
        interpolation="bilinear",
    )
    _square(axes, extent)


def _scatter(axes: Axes, samples: np.ndarray, extent: float) -> None:
    x, y = samples[:SHOWN].T
    axes.scatter(x, y, s=1.0, color="#1769aa", alpha=0.45, linewidths=0, rasterized=True)
    _square(axes, extent)


def _square(axes: Axes, extent: float) -> None:
    axes.set(xlim=(-extent, extent), ylim=(-extent, extent), xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set(color="#c9ced6", linewidth=0.6)


def _note(axes: Axes, text: str) -> None:
    axes.set_xlabel(text.replace("-", "−"), fontsize=7.5, color=INK, labelpad=2)
