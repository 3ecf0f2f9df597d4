"""Published image formats, small: each function writes the files that a source reads, byte for byte."""

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from wavegen.data.images.image_set import PARTS


def images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size=(count, *shape), dtype=np.uint8)


def write_idx(folder: Path, *, suffix: str = "", mark: str = "-", num_train: int = 30, size: int = 8) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (prefix, count) in enumerate((("train", num_train), ("t10k", 12))):
        arrays = {
            f"{prefix}-images{mark}idx3-ubyte": images(count, size, size, seed=seed),
            f"{prefix}-labels{mark}idx1-ubyte": (np.arange(count) % 10).astype(np.uint8),
        }
        for name, array in arrays.items():
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            content = header + array.tobytes()
            (folder / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)


def write_mnist(path: Path, *, num_train: int = 30, size: int = 8) -> None:
    labels = {"y_train": np.sort(np.arange(num_train) % 10), "y_test": np.sort(np.arange(12) % 10)}
    parts = {"x_train": images(num_train, size, size), "x_test": images(12, size, size, seed=1)}
    np.savez(path, **parts, **labels)


def write_cifar10(folder: Path, *, per_batch: int = 8) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels = images(per_batch, 3 * 32 * 32, seed=number)
        labels = (np.arange(per_batch, dtype=np.uint8) % 10)[:, None]
        (folder / f"{name}.bin").write_bytes(np.concatenate([labels, pixels], 1).tobytes())


def write_imagenet_npz(folder: Path, size: int, *, per_batch: int = 8) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(["train_data_batch_1", "train_data_batch_2", "val_data"]):
        data = images(per_batch, 3 * size * size, seed=number)
        labels = np.arange(1, per_batch + 1)
        np.savez(folder / f"{name}.npz", data=data, labels=labels, mean=data.mean(0))


def write_pngs(folder: Path, count: int, *, size: int = 8, mode: str = "RGB", seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shape = (size, size, 3) if mode == "RGB" else (size, size)
    for number, pixels in enumerate(images(count, *shape, seed=seed)):
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")


def table_rows(count: int = 60, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    first = rng.normal(3.0, 2.0, count)
    return np.stack([first, 0.5 * first + rng.normal(size=count), rng.exponential(size=count)], 1)


def write_csv(path: Path, *, count: int = 60) -> None:
    lines = ["height,weight,age", *(",".join(map(repr, map(float, row))) for row in table_rows(count))]
    path.write_text("\n".join(lines) + "\n")


def parts(data):
    return [getattr(data, part) for part in PARTS]


def rows(tensor):
    return [tuple(row.flatten().tolist()) for row in tensor]
