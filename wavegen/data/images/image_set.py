"""Image datasets with whole levels, split into train, dev and test; bit depth, padding and splitting."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from wavegen.errors import UserError

PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class ImageSet:
    """Images as uint8 tensors ``(N, C, H, W)`` of whole levels 0 … num_levels − 1.

    Args:
        train, dev, test: the images of each part, all of one shape.
        num_levels: number of levels per value, at most 256.
        name: of the dataset, for messages and reports.
        labels: class of every image by part, int64 ``(N,)``; None if there are no labels.
        label_names: names of the classes, in order; their number is the number of classes.
        padding: zeros added on every side, which do not count as dimensions.

    Raises ``UserError`` if a part is empty, a type or shape is wrong, levels are out of range, or labels do
    not fit.
    """

    train: Tensor
    dev: Tensor
    test: Tensor
    num_levels: int
    name: str
    labels: Mapping[str, Tensor] | None = None
    label_names: tuple[str, ...] = field(default=())
    padding: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.num_levels <= 256:
            raise UserError(f"{self.name}: expected 2 to 256 levels, got {self.num_levels}")
        for part in PARTS:
            images = getattr(self, part)
            if images.dim() != 4 or images.dtype != torch.uint8:
                raise UserError(
                    f"{self.name}: expected {part} images as uint8 (N, C, H, W), got {images.dtype} of shape "
                    f"{tuple(images.shape)}"
                )
            if len(images) == 0:
                raise UserError(f"{self.name}: the {part} part is empty, expected at least one image")
            if images.shape[1:] != self.train.shape[1:]:
                raise UserError(
                    f"{self.name}: expected {part} images of shape {tuple(self.train.shape[1:])} like the "
                    f"training images, got {tuple(images.shape[1:])}"
                )
            if self.num_levels < 256 and int(images.max()) >= self.num_levels:
                raise UserError(
                    f"{self.name}: expected {part} levels 0 to {self.num_levels - 1}, got {int(images.max())}"
                )
            self._check_labels(part, len(images))

    def _check_labels(self, part: str, count: int) -> None:
        if self.labels is None:
            return
        labels = self.labels[part]
        if labels.shape != (count,) or labels.dtype != torch.int64:
            raise UserError(
                f"{self.name}: expected {count} int64 labels of the {part} part, got {labels.dtype} of shape "
                f"{tuple(labels.shape)}"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(self.label_names):
            raise UserError(
                f"{self.name}: expected {part} labels 0 to {len(self.label_names) - 1}, got {low} to {high}"
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) including padding: the input shape of a model."""
        channels, height, width = self.train.shape[1:]
        return channels, height, width

    @property
    def num_dimensions(self) -> int:
        """C · H · W of the image without padding, the divisor of bits per dimension."""
        channels, height, width = self.image_shape
        return channels * (height - 2 * self.padding) * (width - 2 * self.padding)

    @property
    def num_classes(self) -> int:
        return len(self.label_names) if self.labels is not None else 0


def finish(images: ImageSet, *, bits: int | None = None, padding: int = 0) -> ImageSet:
    """Reduces the bit depth, then pads: the last steps of every source.

    Args:
        bits: x ← ⌊x / 2^(8 − bits)⌋, as in Glow's 5-bit images (Kingma and Dhariwal 2018, 1807.03039), which
            leaves 2^bits levels. None leaves the levels unchanged.
        padding: zeros on every side, for models that halve the resolution more often than the size allows.

    Raises:
        UserError: if bits are not 1 to 8, or the images do not have 256 levels; if padding is negative.
    """
    if bits is not None:
        if images.num_levels != 256 or not 1 <= bits <= 8:
            raise UserError(
                f"{images.name}: bits: expected 1 to 8 and images with 256 levels, got {bits} and images "
                f"with {images.num_levels} levels"
            )
        reduced = {part: getattr(images, part) // 2 ** (8 - bits) for part in PARTS}
        images = replace(images, **reduced, num_levels=2**bits)
    if padding < 0:
        raise UserError(f"{images.name}: padding: expected 0 or more pixels, got {padding}")
    if padding:
        padded: dict[str, Any] = {part: pad(getattr(images, part), (padding,) * 4) for part in PARTS}
        images = replace(images, **padded, padding=padding)
    return images


def hold_out(
    values: Tensor, labels: Tensor | None, count: int, *, seed: int, source: object
) -> tuple[tuple[Tensor, Tensor | None], tuple[Tensor, Tensor | None]]:
    """Holds out ``count`` entries chosen by ``seed``: ``((rest, its labels), (held-out, its labels))``.

    Only the held-out entries are moved, in place, so that a dataset that barely fits into memory is not
    copied. They come in random order, whatever the order of the source.

    Raises:
        UserError: naming ``source``, if ``count`` is 0 or leaves nothing.
    """
    total = len(values)
    if not 1 <= count < total:
        raise UserError(f"{source}: expected to hold out 1 to {total - 1} of {total} entries, got {count}")
    chosen = torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:count]
    in_tail = chosen >= total - count
    kept_in_tail = torch.ones(count, dtype=torch.bool)
    kept_in_tail[chosen[in_tail] - (total - count)] = False
    from_tail, to_front = torch.arange(total - count, total)[kept_in_tail], chosen[~in_tail]

    def take(tensor: Tensor) -> tuple[Tensor, Tensor]:
        held = tensor[chosen]
        tensor[to_front] = tensor[from_tail]
        return tensor[: total - count], held

    rest, held = take(values)
    rest_labels, held_labels = (None, None) if labels is None else take(labels)
    return (rest, rest_labels), (held, held_labels)


def split_images(
    images: Tensor,
    labels: Tensor | None,
    *,
    num_levels: int,
    name: str,
    seed: int,
    dev_share: float = 0.1,
    test_share: float = 0.1,
    label_names: tuple[str, ...] = (),
) -> ImageSet:
    """An ``ImageSet`` from images without a published split; the parts are shares chosen by ``seed``."""
    counts = [max(1, round(share * len(images))) for share in (test_share, dev_share)]
    if sum(counts) >= len(images):
        raise UserError(f"{name}: expected at least 3 images to split, got {len(images)}")
    (rest, rest_labels), (test, test_labels) = hold_out(images, labels, counts[0], seed=seed, source=name)
    (train, train_labels), (dev, dev_labels) = hold_out(
        rest, rest_labels, counts[1], seed=seed + 1, source=name
    )
    by_part = _by_part(train_labels, dev_labels, test_labels)
    return ImageSet(train, dev, test, num_levels, name, by_part, tuple(label_names))


def with_held_out_dev(
    train: tuple[Tensor, Tensor | None],
    test: tuple[Tensor, Tensor | None],
    *,
    num_dev: int,
    name: str,
    seed: int,
    label_names: tuple[str, ...],
) -> ImageSet:
    """An ``ImageSet`` from a published train and test part; dev is held out of train by ``seed``."""
    (rest, rest_labels), (dev, dev_labels) = hold_out(*train, num_dev, seed=seed, source=name)
    labels = _by_part(rest_labels, dev_labels, test[1])
    return ImageSet(rest, dev, test[0], 256, name, labels, label_names)


def _by_part(train: Tensor | None, dev: Tensor | None, test: Tensor | None) -> Mapping[str, Tensor] | None:
    """Labels of all parts; None if a part has no labels."""
    if train is None or dev is None or test is None:
        return None
    return {"train": train, "dev": dev, "test": test}
