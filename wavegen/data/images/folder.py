"""Folders of PNG and JPEG images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from wavegen.data.images.image_set import ImageSet, finish, split_images
from wavegen.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg"}
GREY_MODES = {"1", "L", "LA"}
COLOUR_MODES = {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"}


def image_folder(folder: str | Path, *, bits: int | None = None, padding: int = 0, seed: int = 0) -> ImageSet:
    """All PNG and JPEG images in a folder and its sub-folders, split 80/10/10 by ``seed``, all of one size.

    If every image is in a sub-folder, the name of the sub-folder is its label. Images are grey if all files
    are grey, else RGB; transparency is dropped.

    Raises:
        UserError: if the folder is missing or has no images, a file is not an image or has 16 bits, or the
            sizes differ.
    """
    folder = Path(folder)
    paths = list_images(folder)
    images = read_images(paths)
    groups = [path.relative_to(folder).parts[0] if path.parent != folder else None for path in paths]
    labelled = [group for group in groups if group is not None]
    names = sorted(set(labelled)) if len(labelled) == len(groups) else []
    labels = torch.tensor([names.index(group) for group in labelled]) if len(names) > 1 else None
    name = folder.resolve().name
    split = split_images(
        images,
        labels,
        num_levels=256,
        name=name,
        seed=seed,
        label_names=tuple(names) if labels is not None else (),
    )
    return finish(split, bits=bits, padding=padding)


def list_images(folder: Path) -> list[Path]:
    """The images in a folder and its sub-folders, sorted by name. Raises ``UserError`` if there are none."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder, expected one with PNG or JPEG images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise UserError(f"{folder} contains no images, expected PNG or JPEG files in it or its sub-folders")
    return paths


def read_images(paths: Sequence[Path]) -> Tensor:
    """uint8 ``(N, 1 or 3, height, width)``; one channel if all images are grey."""
    first = paths[0]
    first_size: tuple[int, int] | None = None
    grey = True
    for path in paths:  # read headers only, so that all shapes are known before memory is allocated
        with _open(path) as image:
            if image.mode not in GREY_MODES | COLOUR_MODES:
                raise UserError(
                    f"{path}: expected an image of 8 bits per channel, got Pillow's mode {image.mode}"
                )
            grey = grey and image.mode in GREY_MODES
            if first_size is None:
                first_size = image.size
            if image.size != first_size:
                raise UserError(
                    f"expected images of one size, got {first_size[0]}×{first_size[1]} pixels in {first} and "
                    f"{image.size[0]}×{image.size[1]} in {path}"
                )
    assert first_size is not None
    width, height = first_size
    images = torch.empty(len(paths), 1 if grey else 3, height, width, dtype=torch.uint8)
    for number, path in enumerate(paths):
        with _open(path) as image:
            try:
                pixels = np.asarray(image.convert("L" if grey else "RGB"))
            except (OSError, SyntaxError, ValueError) as error:
                raise UserError(f"{path} cannot be read as an image ({error})") from error
        images[number] = torch.from_numpy(pixels.reshape(height, width, -1).transpose(2, 0, 1).copy())
    return images


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image ({error})") from error
