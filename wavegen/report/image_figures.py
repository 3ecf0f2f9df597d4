"""What an image flow has learned, to look at: samples, temperatures, paths through latent space."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from wavegen.evaluation.density.baselines import crop
from wavegen.report.plots import save

if TYPE_CHECKING:
    from wavegen.evaluation.density.evaluate import Subject

INK = "#30343b"
MAX_LATENTS = 2000  # training images that a class's mean latent is taken over
GAP = 0.12  # between images of a grid, of an image's width


@dataclass(frozen=True)
class Shown:
    """A figure of the report: its file below the run, its title, and one sentence on what it shows."""

    file: str
    title: str
    caption: str


def image_figures(
    subject: "Subject",
    x: Tensor,
    labels: Tensor | None,
    folder: Path,
    temperatures: Sequence[float],
    num_samples: int,
    seed: int,
) -> list[Shown]:
    """Draws all that the data allow, into ``folder``."""
    figures = Figures(subject, x, labels, folder)
    shown = [figures.samples(num_samples)]
    if subject.encode(labels) is not None:
        shown.append(figures.samples_by_class())
    shown += [figures.temperatures(temperatures), figures.reconstructions(), figures.interpolations()]
    if subject.encode(labels) is None and labels is not None and subject.data.num_classes > 1:
        shown.append(figures.attributes())
    return shown


class Figures:
    """Grids of images, from test images ``x`` with their labels."""

    def __init__(self, subject: "Subject", x: Tensor, labels: Tensor | None, folder: Path) -> None:
        self.subject, self.x, self.labels, self.folder = subject, x, labels, folder

    def pixels(self, levels: Tensor) -> np.ndarray:
        """``(…, H, W)`` or ``(…, H, W, 3)`` in [0, 1], black for level 0 and white for the highest."""
        data = self.subject.data
        images = crop(levels.detach().float().cpu(), data.padding) / (data.num_levels - 1)
        images = images.clamp(0, 1).nan_to_num(0).movedim(-3, -1).numpy()
        return images[..., 0] if images.shape[-1] != 3 else images

    def draw(self, z: Tensor, labels: Tensor | None) -> np.ndarray:
        return self.pixels(self.subject.levels(self.subject.generate(z, labels), labels))

    def some_labels(self, count: int) -> Tensor | None:
        return None if self.labels is None else self.labels[torch.arange(count) % len(self.labels)]

    def samples(self, count: int) -> Shown:
        """Test images beside as many samples."""
        count = min(count, len(self.x)) if len(self.x) >= 4 else count
        columns = max(1, round(count**0.5))
        count = columns * max(1, count // columns)
        labels = self.some_labels(count)
        drawn = self.draw(self.subject.noise(count, labels), labels)
        real = self.pixels(self.x[torch.arange(count) % len(self.x)])
        figure = Figure(figsize=(9.2, 4.75 * count / columns**2 + 0.3), layout="constrained")
        for axes, images, title in zip(
            figure.subplots(1, 2), (real, drawn), ("test images", "samples"), strict=True
        ):
            show(axes, images.reshape(-1, columns, *images.shape[1:]))
            axes.set_title(title, fontsize=9, loc="left", color=INK)
        return self.keep(
            figure,
            "samples",
            "Samples",
            "Left, images the flow has never seen; right, images it has drawn at temperature 1.",
        )

    def samples_by_class(self) -> Shown:
        names = self.subject.data.label_names[:10]
        labels = torch.arange(len(names)).repeat_interleave(12)
        drawn = self.draw(self.subject.noise(len(labels), labels), labels)
        figure = self.rows(drawn.reshape(len(names), 12, *drawn.shape[1:]), names)
        return self.keep(figure, "classes", "Samples by class", "Every row was drawn given one label.")

    def temperatures(self, temperatures: Sequence[float]) -> Shown:
        labels = self.some_labels(12)
        noise = self.subject.noise(12, labels)
        drawn = np.stack([self.draw(temperature * noise, labels) for temperature in temperatures])
        figure = self.rows(drawn, [f"{temperature:g}" for temperature in temperatures])
        return self.keep(
            figure,
            "temperatures",
            "Temperature",
            "Each column is one draw of noise, scaled by the temperature on the left: lower is calmer, 1 is "
            "what the model believes.",
        )

    def reconstructions(self) -> Shown:
        count = min(12, len(self.x))
        labels = None if self.labels is None else self.labels[:count]
        y, z = self.subject.latents(self.x[:count], labels)
        returned = self.subject.generate(z, labels)
        error = (y - returned).abs()
        largest = float(error.max())
        top = (self.subject.data.num_levels - 1) / max(largest, 1e-30)
        rows = [self.pixels(self.x[:count]), self.pixels(self.subject.levels(returned, labels))]
        figure = self.rows(
            np.stack([*rows, self.pixels(error * top)]), ["test image", "there and back", "error"]
        )
        return self.keep(
            figure,
            "reconstructions",
            "There and back",
            f"Test images sent through the flow and back; white in the last row is an error of {largest:.1e} "
            "of the whole range.",
        )

    def interpolations(self, steps: int = 11) -> Shown:
        count = max(1, min(6, len(self.x) // 2))
        first, last = torch.arange(count) * 2, torch.arange(count) * 2 + 1
        last = last % len(self.x)
        labels = None if self.labels is None else self.labels[first]
        ends = None if self.labels is None else self.labels[last]
        _, z_first = self.subject.latents(self.x[first], labels)
        _, z_last = self.subject.latents(self.x[last], ends)
        rows = []
        for weight in torch.linspace(0, 1, steps).tolist():
            nearer = labels if weight < 0.5 else ends
            rows.append(self.draw(torch.lerp(z_first, z_last, weight), nearer))
        figure = self.rows(np.stack(rows, 1), [""] * count)
        return self.keep(
            figure,
            "interpolations",
            "Between two images",
            "Left and right, test images; between them, the straight line between their latents.",
        )

    def attributes(self, strengths: Sequence[float] = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25)) -> Shown:
        """From one class towards the one whose mean latent is nearest, for up to six test images."""
        data = self.subject.data
        means = self.class_means()
        known = [label for label in range(data.num_classes) if label in means]
        rows, names = [], []
        for source in known:
            here = (self.labels == source).nonzero().flatten()
            if len(here) == 0 or len(rows) == 6 or len(known) < 2:
                continue
            distance = {
                other: float((means[other] - means[source]).norm()) for other in known if other != source
            }
            target = min(distance, key=distance.get)
            _, z = self.subject.latents(self.x[here[:1]], None)
            direction = means[target] - means[source]
            moved = torch.cat([z + strength * direction for strength in strengths])
            rows.append(self.draw(moved, None))
            names.append(f"{data.label_names[source]} → {data.label_names[target]}")
        figure = self.rows(
            np.stack(rows), names, [f"{strength:+g}" if strength else "0" for strength in strengths]
        )
        return self.keep(
            figure,
            "attributes",
            "From one class to another",
            "A test image's latent plus so many times the difference of two classes' mean latents: 0 is the "
            "image itself, +1 the whole way.",
        )

    def class_means(self) -> dict[int, Tensor]:
        data, labels = self.subject.data, self.subject.data.labels["train"][:MAX_LATENTS]
        latents = torch.cat(
            [self.subject.latents(part, None)[1] for part in data.train[: len(labels)].split(250)]
        )
        return {
            int(label): latents[(labels == label).to(latents.device)].mean(0) for label in labels.unique()
        }

    def rows(self, images: np.ndarray, names: Sequence[str], columns: Sequence[str] = ()) -> Figure:
        """A grid ``(rows, columns, H, W[, 3])`` with a name before each row and above each column."""
        height, width = images.shape[2:4]
        margin = 0.25 if columns else 0.05
        figure = Figure(
            figsize=(9.2, 9.2 * images.shape[0] * height / (images.shape[1] * width + 1) + margin),
            layout="constrained",
        )
        axes = figure.add_subplot()
        show(axes, images)
        gap = max(1, round(GAP * width))
        if any(names):
            axes.set_yticks([(height + gap) * row + height / 2 for row in range(len(names))], names)
        if columns:
            axes.set_xticks([(width + gap) * column + width / 2 for column in range(len(columns))], columns)
            axes.xaxis.tick_top()
        axes.tick_params(length=0, labelsize=8, labelcolor=INK)
        return figure

    def keep(self, figure: Figure, name: str, title: str, caption: str) -> Shown:
        save(figure, self.folder / f"{name}.png")
        return Shown(f"{self.folder.name}/{name}.png", title, caption)


def show(axes, images: np.ndarray) -> None:
    """One picture of a grid ``(rows, columns, H, W[, 3])``, each pixel a square, gaps in white."""
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
