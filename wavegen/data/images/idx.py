"""MNIST and datasets in its format: the published IDX files, or one NPZ file."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavegen.data.images.image_set import ImageSet, finish, with_held_out_dev
from wavegen.data.npz import read_npz
from wavegen.errors import UserError

UNSIGNED_BYTE = 0x08


def idx(
    folder: str | Path, *, num_dev: int = 10000, bits: int | None = None, padding: int = 0, seed: int = 0
) -> ImageSet:
    """The four published files ``{train,t10k}-{images-idx3,labels-idx1}-ubyte``, optionally with ``.gz``.

    The dev part is ``num_dev`` of the training images, chosen by ``seed``. Labels are optional.

    Raises:
        UserError: naming the file, if it is missing, truncated, or not an IDX file of unsigned bytes.
    """
    folder = Path(folder)
    parts = []
    for prefix in ("train", "t10k"):
        images = find_idx(folder, f"{prefix}-images", 3)
        labels = find_idx(folder, f"{prefix}-labels", 1, required=False)
        assert images is not None
        parts.append((read_idx(images, 3)[:, None], None if labels is None else read_idx(labels, 1).long()))
    return _mnist_like(parts, folder.resolve().name, num_dev, bits, padding, seed, folder)


def mnist(
    path: str | Path, *, num_dev: int = 10000, bits: int | None = None, padding: int = 0, seed: int = 0
) -> ImageSet:
    """MNIST as one NPZ file with ``x_train``, ``y_train``, ``x_test``, ``y_test``.

    The dev part is ``num_dev`` of the training images, chosen by ``seed``, because some files are sorted by
    class.

    Raises:
        UserError: naming file and array, if an array is missing or has another type or shape.
    """
    arrays = read_npz(path, ["x_train", "y_train", "x_test", "y_test"])
    parts = []
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if images.dtype != np.uint8 or images.ndim != 3:
            raise UserError(
                f"{path}: x_{part}: expected uint8 of shape (N, height, width), got {images.dtype} of shape "
                f"{images.shape}"
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise UserError(
                f"{path}: y_{part}: expected {len(images)} whole numbers, got {labels.dtype} of shape "
                f"{labels.shape}"
            )
        parts.append((torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))))
    return _mnist_like(parts, "mnist", num_dev, bits, padding, seed, path)


def _mnist_like(parts, name, num_dev, bits, padding, seed, source) -> ImageSet:
    labels = [labels for _, labels in parts if labels is not None and len(labels)]
    num_classes = int(max(tensor.max() for tensor in labels)) + 1 if labels else 0
    for (images, labels), part in zip(parts, ("training", "test"), strict=True):
        if labels is not None and len(images) != len(labels):
            raise UserError(
                f"{source}: expected a label for each of the {len(images)} {part} images, got {len(labels)}"
            )
    names = tuple(str(number) for number in range(num_classes))
    images = with_held_out_dev(*parts, num_dev=num_dev, name=name, seed=seed, label_names=names)
    return finish(images, bits=bits, padding=padding)


def find_idx(folder: Path, stem: str, rank: int, *, required: bool = True) -> Path | None:
    """The path of ``stem-idx<rank>-ubyte``, also with a dot for the first hyphen, with or without ``.gz``."""
    names = [f"{stem}{mark}idx{rank}-ubyte{suffix}" for mark in "-." for suffix in ("", ".gz")]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None and required:
        raise UserError(f"{folder} has no {names[0]} (or .gz), expected the published IDX files of MNIST")
    return found


def read_idx(path: Path, rank: int) -> Tensor:
    """Reads an IDX file of unsigned bytes: two zero bytes, type, rank, big-endian sizes, values.

    Raises ``UserError`` if header and length disagree.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    header = bytes([0, 0, UNSIGNED_BYTE, rank])
    if content[:4] != header or len(content) < 4 + 4 * rank:
        raise UserError(f"{path}: expected the IDX header {header.hex(' ')}, got {content[:4].hex(' ')}")
    shape = [int(size) for size in np.frombuffer(content, ">u4", rank, offset=4)]
    if len(content) - 4 - 4 * rank != math.prod(shape):
        raise UserError(
            f"{path}: expected {math.prod(shape)} values for shape {tuple(shape)}, got "
            f"{len(content) - 4 - 4 * rank}"
        )
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(values.reshape(shape).copy())
