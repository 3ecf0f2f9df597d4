"""Tables of numbers from CSV, NPZ and Parquet, standardised by the training part."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavegen.data.images.image_set import PARTS, hold_out
from wavegen.data.npz import open_npz, read_npz
from wavegen.errors import UserError


@dataclass(frozen=True)
class TableSet:
    """Rows as float32 ``(N, features)``, each column with mean 0 and deviation 1 on the training part.

    ``offset`` and ``scale`` invert it: original = offset + scale · standardised, hence
    log p(original) = log p(standardised) − Σ log scale.
    """

    train: Tensor
    dev: Tensor
    test: Tensor
    columns: tuple[str, ...]
    offset: Tensor
    scale: Tensor
    name: str

    labels = None
    num_classes = 0

    @property
    def num_features(self) -> int:
        return len(self.columns)


def table(path: str | Path, *, dev_share: float = 0.1, test_share: float = 0.1, seed: int = 0) -> TableSet:
    """Reads a table by the extension of its file, and splits it by ``seed`` unless it is already split.

    - ``.csv``: comma-separated, with or without a line of column names.
    - ``.npz``: one array ``data`` ``(N, features)``, or ``train``, ``dev``, ``test``.
    - ``.parquet``: through pandas and pyarrow (``pip install wavegen[tables]``).

    Raises:
        UserError: naming column and row (from 1, without the header) of a value that is not a finite number;
            if a column is constant, there are too few rows, or the extension is another.
    """
    path = Path(path)
    readers = {".csv": read_csv, ".npz": read_npz_table, ".parquet": read_parquet}
    if path.suffix.lower() not in readers:
        raise UserError(f"{path}: expected the extension {', '.join(readers)}, got '{path.suffix}'")
    if not path.is_file():
        raise UserError(f"{path} does not exist, expected a table")
    columns, parts = readers[path.suffix.lower()](path)
    for part, values in parts.items():
        _require_finite(path, part, columns, values)
    tensors = {part: torch.from_numpy(values) for part, values in parts.items()}
    if "all" in tensors:
        tensors = _split(tensors["all"], dev_share, test_share, seed, path)
    offset, scale = tensors["train"].mean(0), tensors["train"].std(0, correction=0)
    flat = scale <= 1e-12 * offset.abs().clamp(min=1)
    if flat.any():
        raise UserError(
            f"{path}: the column '{columns[int(flat.nonzero()[0])]}' is constant in the training part, "
            "expected columns that vary; remove it"
        )
    standardised = {part: ((tensors[part] - offset) / scale).float() for part in PARTS}
    return TableSet(**standardised, columns=columns, offset=offset, scale=scale, name=path.stem)


def _split(rows: Tensor, dev_share: float, test_share: float, seed: int, path: Path) -> dict[str, Tensor]:
    counts = [max(1, round(share * len(rows))) for share in (test_share, dev_share)]
    if sum(counts) + 2 > len(rows):
        raise UserError(f"{path}: expected at least {sum(counts) + 2} rows to split, got {len(rows)}")
    (rest, _), (test, _) = hold_out(rows, None, counts[0], seed=seed, source=path)
    (train, _), (dev, _) = hold_out(rest, None, counts[1], seed=seed + 1, source=path)
    return {"train": train, "dev": dev, "test": test}


def _require_finite(path: Path, part: str, columns: tuple[str, ...], values: np.ndarray) -> None:
    if len(values) == 0 or not columns:
        raise UserError(f"{path}: expected rows and columns, got {values.shape[0]} × {len(columns)}")
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        where = "" if part == "all" else f" of '{part}'"
        raise UserError(
            f"{path}: column '{columns[column]}', row {row + 1}{where}: expected a finite number, got "
            f"{values[row, column]}"
        )


def read_csv(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV ({error})") from error
    if not lines:
        raise UserError(f"{path} is empty, expected rows of numbers")
    named = any(_number(cell) is None for cell in lines[0]) and any(cell.strip() for cell in lines[0])
    columns = [cell.strip() for cell in lines[0]] if named else [str(i + 1) for i in range(len(lines[0]))]
    rows = lines[1:] if named else lines
    values = np.empty((len(rows), len(columns)))
    for row, line in enumerate(rows):
        if len(line) != len(columns):
            raise UserError(f"{path}: row {row + 1}: expected {len(columns)} values, got {len(line)}")
        for column, cell in enumerate(line):
            number = _number(cell)
            if number is None:
                raise UserError(
                    f"{path}: column '{columns[column]}', row {row + 1}: expected a finite number, "
                    f"got '{cell}'"
                )
            values[row, column] = number
    return tuple(columns), {"all": values}


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def read_npz_table(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    with open_npz(path) as archive:
        names = ["data"] if "data" in archive.files else list(PARTS)
    parts = read_npz(path, names)
    width = parts[names[0]].shape[-1] if parts[names[0]].ndim else 0
    for name, values in parts.items():
        if values.ndim != 2 or values.shape[1] != width or values.dtype.kind not in "fiub":
            raise UserError(
                f"{path}: {name}: expected numbers of shape (N, {width}), got {values.dtype} of shape "
                f"{values.shape}"
            )
    columns = tuple(str(number + 1) for number in range(width))
    return columns, {
        "all" if name == "data" else name: values.astype(np.float64) for name, values in parts.items()
    }


def read_parquet(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{path}: reading Parquet needs pandas and pyarrow: pip install wavegen[tables]"
        ) from error
    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"{path} cannot be read as Parquet ({error})") from error
    for column in frame.columns:
        if not pandas.api.types.is_numeric_dtype(frame[column].dtype):
            row, value = next(
                ((i, v) for i, v in enumerate(frame[column]) if not _is_number(v)), (0, frame[column].dtype)
            )
            raise UserError(
                f"{path}: column '{column}', row {row + 1}: expected a finite number, got {value!r}"
            )
    values = frame.to_numpy(dtype=np.float64, na_value=math.nan).copy()  # pandas may return its own memory
    return tuple(str(column) for column in frame.columns), {"all": values}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
