"""Figures of a density of images: grids of samples, temperatures, reconstructions, interpolated latents.

A figure is left out if the model lacks the method that it needs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavegen.data.images.image_set import ImageSet
from wavegen.evaluation.density.baselines import crop
from wavegen.evaluation.density.subject import Subject
from wavegen.report.image_grids import ImageGrid, draw_beside, draw_grid
from wavegen.report.page import Shown

MAX_LATENTS = 2000  # training images for the mean latents of the classes
STRENGTHS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # of the step from one class to another


def image_pictures(
    subject: Subject,
    x: Tensor,
    labels: Tensor | None,
    folder: Path,
    temperatures: Sequence[float],
    num_samples: int,
) -> list[Shown]:
    """Draw all figures that model and data allow, into ``folder``."""
    pictures = ImagePictures(subject, x, labels)
    shown = [draw_beside(folder, **pictures.samples(num_samples))]
    if subject.is_conditional:
        shown.append(draw_grid(folder, pictures.samples_by_class()))
    if subject.offers("prior", "decode"):
        shown.append(draw_grid(folder, pictures.temperatures(temperatures)))
    if subject.offers("reconstruct"):
        shown.append(draw_grid(folder, pictures.reconstructions()))
    if subject.offers("interpolate"):
        shown.append(draw_grid(folder, pictures.interpolations()))
    has_classes = not subject.is_conditional and labels is not None and subject.data.num_classes > 1
    if has_classes and subject.offers("latents", "decode"):
        shown.append(draw_grid(folder, pictures.attributes()))
    return shown


class ImagePictures:
    """Grids of images, from test images ``x`` with their labels."""

    def __init__(self, subject: Subject, x: Tensor, labels: Tensor | None) -> None:
        assert isinstance(subject.data, ImageSet)
        self.subject, self.data, self.x, self.labels = subject, subject.data, x, labels

    def pixels(self, levels: Tensor) -> np.ndarray:
        """``(…, H, W)`` or ``(…, H, W, 3)`` in [0, 1], black for level 0 and white for the highest."""
        images = crop(levels.detach().float().cpu(), self.data.padding) / (self.data.num_levels - 1)
        pixels = images.clamp(0, 1).nan_to_num(0).movedim(-3, -1).numpy()
        return pixels[..., 0] if pixels.shape[-1] != 3 else pixels

    def some_labels(self, count: int) -> Tensor | None:
        return None if self.labels is None else self.labels[torch.arange(count) % len(self.labels)]

    def samples(self, count: int) -> dict:
        """Test images beside the same number of samples."""
        count = min(count, len(self.x)) if len(self.x) >= 4 else count
        columns = max(1, round(count**0.5))
        count = columns * max(1, count // columns)
        drawn = self.pixels(self.subject.sample(count, self.some_labels(count)))
        real = self.pixels(self.x[torch.arange(count) % len(self.x)])
        return {
            "name": "samples",
            "title": "Samples",
            "caption": "Left: test images, which the model has not seen. Right: samples of the model.",
            "panels": {"test images": real, "samples": drawn},
            "columns": columns,
        }

    def samples_by_class(self) -> ImageGrid:
        names = self.data.label_names[:10]
        labels = torch.arange(len(names)).repeat_interleave(12)
        drawn = self.pixels(self.subject.sample(len(labels), labels))
        return ImageGrid(
            "classes",
            "Samples by class",
            "Every row has samples for one label.",
            drawn.reshape(len(names), 12, *drawn.shape[1:]),
            names,
        )

    def temperatures(self, temperatures: Sequence[float]) -> ImageGrid:
        labels = self.some_labels(12)
        noise = self.subject.noise(12, labels)
        drawn = [self.pixels(self.subject.decode(scale * noise, labels)) for scale in temperatures]
        return ImageGrid(
            "temperatures",
            "Temperature",
            "Each column is one draw of noise, scaled by the temperature on the left. 1 samples the model; "
            "lower temperatures vary less.",
            np.stack(drawn),
            [f"{temperature:g}" for temperature in temperatures],
        )

    def reconstructions(self) -> ImageGrid:
        count = min(12, len(self.x))
        labels = None if self.labels is None else self.labels[:count]
        seen, returned = self.subject.reconstruct(self.x[:count], labels)
        error = (seen - returned).abs()
        largest = float(error.max())
        num_levels = self.data.num_levels
        levels = (returned * num_levels).floor().clamp(0, num_levels - 1)
        top = (num_levels - 1) / max(largest, 1e-30)
        return ImageGrid(
            "reconstructions",
            "Reconstructions",
            "Test images, encoded and decoded by the model. White in the last row is an error of "
            f"{largest:.1e} of the whole range.",
            np.stack([self.pixels(part) for part in (self.x[:count], levels, error * top)]),
            ["test image", "reconstruction", "error"],
        )

    def interpolations(self, steps: int = 11) -> ImageGrid:
        count = max(1, min(6, len(self.x) // 2))
        first = torch.arange(count) * 2
        last = (first + 1) % len(self.x)
        labels, ends = (None if self.labels is None else self.labels[part] for part in (first, last))
        weights = torch.linspace(0, 1, steps).tolist()
        between = self.subject.interpolate(self.x[first], self.x[last], weights, labels, ends)
        return ImageGrid(
            "interpolations",
            "Between two images",
            "Each row: points on a straight line between the latents of two test images, decoded.",
            self.pixels(between).swapaxes(0, 1),
        )

    def attributes(self) -> ImageGrid:
        """Steps from one class to the one with the nearest mean latent, for up to six test images."""
        data = self.data
        means = self.class_means()
        known = [label for label in range(data.num_classes) if label in means]
        rows: list[np.ndarray] = []
        names: list[str] = []
        for source in known:
            here = (self.labels == source).nonzero().flatten()
            if len(here) == 0 or len(rows) == 6 or len(known) < 2:
                continue
            distance = {
                other: float((means[other] - means[source]).norm()) for other in known if other != source
            }
            target = min(distance, key=distance.__getitem__)
            z = self.subject.latents(self.x[here[:1]], None)
            direction = means[target] - means[source]
            moved = torch.cat([z + strength * direction for strength in STRENGTHS])
            rows.append(self.pixels(self.subject.decode(moved, None)))
            names.append(f"{data.label_names[source]} → {data.label_names[target]}")
        return ImageGrid(
            "attributes",
            "From one class to another",
            "A test image's latent plus a multiple of the difference of two classes' mean latents, decoded. "
            "At 0 nothing is added, at +1 the whole difference.",
            np.stack(rows),
            names,
            [f"{strength:+g}" if strength else "0" for strength in STRENGTHS],
        )

    def class_means(self) -> dict[int, Tensor]:
        assert self.data.labels is not None
        labels = self.data.labels["train"][:MAX_LATENTS]
        parts = self.data.train[: len(labels)].split(250)
        latents = torch.cat([self.subject.latents(part, None) for part in parts])
        return {
            int(label): latents[(labels == label).to(latents.device)].mean(0) for label in labels.unique()
        }
