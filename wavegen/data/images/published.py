"""CIFAR-10 and downsampled ImageNet, from the published files."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavegen.data.images.folder import list_images, read_images
from wavegen.data.images.image_set import ImageSet, finish, with_held_out_dev
from wavegen.data.npz import UNREADABLE, open_npz, read_npz
from wavegen.errors import UserError

CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CIFAR10_BYTES = 3 * 32 * 32


def cifar10(
    folder: str | Path, *, num_dev: int = 5000, bits: int | None = None, padding: int = 0, seed: int = 0
) -> ImageSet:
    """CIFAR-10's binary version: ``data_batch_{1..5}.bin``, ``test_batch.bin`` (Krizhevsky 2009).

    ``folder`` is ``cifar-10-batches-bin`` or its parent. The dev part is ``num_dev`` training images.

    Raises:
        UserError: if the folder has the pickled "Python version", because unpickling can run any code; if a
            file is missing or is not a whole number of records.
    """
    folder = Path(folder)
    nested = folder / "cifar-10-batches-bin"
    folder = nested if nested.is_dir() else folder
    train_paths = sorted(folder.glob("data_batch_*.bin"))
    test_path = folder / "test_batch.bin"
    if not train_paths or not test_path.is_file():
        if any((place / "data_batch_1").is_file() for place in (folder, folder / "cifar-10-batches-py")):
            raise UserError(
                f"{folder} contains CIFAR-10's pickled version, which can run untrusted code when read; use "
                "the folder of the binary version (cifar-10-binary.tar.gz)"
            )
        raise UserError(f"{folder} has no data_batch_*.bin and test_batch.bin of CIFAR-10's binary version")
    parts = [[read_cifar10(path) for path in paths] for paths in (train_paths, [test_path])]
    train, test = (
        (torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches]))
        for batches in parts
    )
    images = with_held_out_dev(
        train, test, num_dev=num_dev, name="cifar10", seed=seed, label_names=CIFAR10_CLASSES
    )
    return finish(images, bits=bits, padding=padding)


def read_cifar10(path: Path) -> tuple[Tensor, Tensor]:
    """Reads records of one label byte and 3 × 32 × 32 bytes (red, green and blue rows)."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    if content.size == 0 or content.size % (1 + CIFAR10_BYTES):
        raise UserError(
            f"{path}: expected whole records of {1 + CIFAR10_BYTES} bytes, got {content.size} bytes"
        )
    records = torch.from_numpy(content.reshape(-1, 1 + CIFAR10_BYTES))
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()


def downsampled_imagenet(
    folder: str | Path,
    *,
    size: int,
    num_dev: int = 10000,
    max_train_images: int | None = None,
    bits: int | None = None,
    seed: int = 0,
) -> ImageSet:
    """ImageNet at ``size`` × ``size`` pixels, in either of the published formats.

    - NPZ (Chrabaszcz et al. 2017, 1707.08819): ``train_data_batch_*.npz`` and ``val_data.npz`` with ``data``
      ``(N, 3 · size · size)`` uint8, red, green and blue rows, and ``labels`` 1 … 1000; in the folder or one
      level below it.
    - PNG (van den Oord et al. 2016, 1601.06759): ``train_SIZExSIZE`` and ``valid_SIZExSIZE``, without labels.

    The published validation part is the test part, as in the literature. The dev part is ``num_dev``
    training images. ``max_train_images`` limits how many training images are read; each takes 3 · size²
    bytes.

    Raises:
        UserError: if neither format is found, or a file has other contents.
    """
    folder = Path(folder)
    batches = sorted(folder.glob("**/train_data_batch_*.npz"), key=lambda path: (len(path.name), path.name))
    validation = sorted(folder.glob("**/val_data.npz"))
    pngs = [folder / f"{part}_{size}x{size}" for part in ("train", "valid")]
    train: tuple[Tensor, Tensor | None]
    test: tuple[Tensor, Tensor | None]
    names: tuple[str, ...] = ()
    if batches and validation:
        train = read_imagenet_batches(batches, size, max_train_images)
        test = read_imagenet_batches(validation[:1], size, None)
        names = tuple(str(number) for number in range(1, 1001))
    elif all(place.is_dir() for place in pngs):
        train_paths = list_images(pngs[0])[:max_train_images]
        train, test = (read_images(train_paths), None), (read_images(list_images(pngs[1])), None)
    else:
        raise UserError(
            f"{folder} is not downsampled ImageNet: expected train_data_batch_*.npz and val_data.npz, or the "
            f"folders {pngs[0].name} and {pngs[1].name} of PNG images"
        )
    for images, part in ((train[0], "train"), (test[0], "validation")):
        if tuple(images.shape[1:]) != (3, size, size):
            raise UserError(
                f"{folder}: expected {part} images of shape {(3, size, size)}, got {tuple(images.shape[1:])}"
            )
    name = f"imagenet{size}"
    split = with_held_out_dev(train, test, num_dev=num_dev, name=name, seed=seed, label_names=names)
    return finish(split, bits=bits)


def read_imagenet_batches(paths: list[Path], size: int, limit: int | None) -> tuple[Tensor, Tensor]:
    """Images and labels (from 0) of several NPZ files, in memory that is allocated once."""
    width = 3 * size * size
    counts = []
    for path in paths:
        shape = npz_shape(path, "data")
        if len(shape) != 2 or shape[1] != width:
            raise UserError(
                f"{path}: data: expected shape (N, {width}) for {size}×{size} pixels, got {shape}"
            )
        counts.append(shape[0])
    total = sum(counts) if limit is None else min(sum(counts), limit)
    images, labels = torch.empty(total, width, dtype=torch.uint8), torch.empty(total, dtype=torch.int64)
    start = 0
    for path in paths:
        if start == total:
            break
        arrays = read_npz(path, ["data", "labels"])
        data, classes = arrays["data"], arrays["labels"]
        if data.dtype != np.uint8 or classes.shape != (len(data),) or classes.dtype.kind not in "iu":
            raise UserError(
                f"{path}: expected uint8 data with one whole label each, got {data.dtype} of shape "
                f"{data.shape} with labels {classes.dtype} of shape {classes.shape}"
            )
        end = min(total, start + len(data))
        images[start:end] = torch.from_numpy(data[: end - start])
        labels[start:end] = torch.from_numpy(classes[: end - start].astype(np.int64)) - 1
        start = end
    return images.view(-1, 3, size, size), labels


def npz_shape(path: Path, name: str) -> tuple[int, ...]:
    """The shape of an array in an NPZ archive, read from its header."""
    with open_npz(path) as archive:
        if name not in archive.files:
            raise UserError(f"{path} has no array '{name}', got {', '.join(archive.files) or 'none'}")
    try:
        with zipfile.ZipFile(path) as file, file.open(f"{name}.npy") as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
            header = (read or np.lib.format.read_array_header_2_0)(member)
    except UNREADABLE as error:
        raise UserError(f"{path}: the array '{name}' cannot be read ({error})") from error
    return header[0]
