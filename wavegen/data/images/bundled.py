"""Images that are included in scikit-learn: handwritten digits, and crops of two photographs."""

import numpy as np
import torch
from torch import Tensor

from wavegen.data.images.image_set import ImageSet, finish, split_images
from wavegen.errors import UserError


def digits(*, seed: int = 0) -> ImageSet:
    """1,797 handwritten digits of 8 × 8 pixels and 17 levels (0 … 16), split 80/10/10 by ``seed``.

    The test part of the UCI set "Optical recognition of handwritten digits" (Alpaydin and Kaynak 1998).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images.astype(np.uint8))[:, None]
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    names = tuple(str(name) for name in bunch.target_names)
    return split_images(images, labels, num_levels=17, name="digits", seed=seed, label_names=names)


def photo_crops(
    *,
    size: int = 32,
    num_train: int = 8000,
    num_dev: int = 500,
    num_test: int = 1000,
    block: int = 96,
    bits: int | None = None,
    seed: int = 0,
) -> ImageSet:
    """Square colour crops of scikit-learn's two sample photographs (427 × 640 pixels each).

    Each photograph is cut into blocks of ``block`` × ``block`` pixels. ``seed`` assigns one eighth of them,
    at least one, to dev, as many to test, and the rest to train. Every crop is at a random place within one
    block, so no pixel of a test crop occurs in training.

    Raises:
        UserError: if a crop is larger than its block, or a photograph has fewer than three blocks.
    """
    from sklearn.datasets import load_sample_images

    if not 1 <= size <= block:
        raise UserError(f"photo_crops: size: expected 1 to block = {block} pixels, got {size}")
    if min(num_train, num_dev, num_test) < 1:
        raise UserError(
            f"photo_crops: expected at least one crop in every part, got {num_train}, {num_dev}, {num_test}"
        )
    rng = np.random.default_rng(seed)
    blocks: dict[str, list[np.ndarray]] = {"train": [], "dev": [], "test": []}
    for photograph in load_sample_images().images:
        height, width, _ = photograph.shape
        corners = [
            (top, left)
            for top in range(0, height - block + 1, block)
            for left in range(0, width - block + 1, block)
        ]
        if len(corners) < 3:
            raise UserError(
                f"photo_crops: block: expected at least 3 blocks in {height} × {width} pixels, got "
                f"{len(corners)} of {block} × {block}"
            )
        held = max(1, len(corners) // 8)
        for position, index in enumerate(rng.permutation(len(corners))):
            top, left = corners[index]
            part = "test" if position < held else "dev" if position < 2 * held else "train"
            blocks[part].append(photograph[top : top + block, left : left + block])

    def crops(part: str, count: int) -> Tensor:
        chosen = []
        for index in rng.integers(len(blocks[part]), size=count):
            top, left = rng.integers(block - size + 1, size=2)
            chosen.append(blocks[part][index][top : top + size, left : left + size])
        return torch.from_numpy(np.stack(chosen).transpose(0, 3, 1, 2).copy())

    train, dev, test = crops("train", num_train), crops("dev", num_dev), crops("test", num_test)
    return finish(ImageSet(train, dev, test, 256, "photo_crops"), bits=bits)
