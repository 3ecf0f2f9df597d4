"""Encodes compact frames as input of the nets; voices store the scalers, fitted on the training split."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.layout import FeatureLayout
from wavegen.untrusted.parts import describe, restore

_STD_FLOOR = 1e-2


class FeatureEncoder:
    """One-hot vectors of categories, scaled numbers and flags, in the order of the layout's columns.

    Args:
        layout: of the compact frames.
        mean, std: of the scaled columns, in the layout's order.

    Raises:
        UserError: if the number of means or deviations differs, or they are not finite and positive.
    """

    def __init__(self, layout: FeatureLayout, mean: Sequence[float], std: Sequence[float]):
        self.scaled = [i for i, column in enumerate(layout.columns) if column.scaled_over]
        if len(mean) != len(self.scaled) or len(std) != len(self.scaled):
            raise UserError(
                f"a feature encoder needs {len(self.scaled)} means and standard deviations, got {len(mean)} "
                f"and {len(std)}"
            )
        if not np.isfinite([*mean, *std]).all() or min(std) <= 0:
            raise UserError("a feature encoder needs finite means and positive finite standard deviations")
        self.layout = layout
        self.mean = torch.tensor([float(value) for value in mean], dtype=torch.float32)
        self.std = torch.tensor([float(value) for value in std], dtype=torch.float32)

    def __repr__(self) -> str:
        return f"FeatureEncoder({self.layout.num_features} features, layout {self.layout.digest})"

    @classmethod
    def fit(cls, layout: FeatureLayout, frames: Iterable[np.ndarray]) -> "FeatureEncoder":
        """Computes the scalers of the training split, each over the frames that its column specifies, or over
        all frames if there are no such frames. Only one of the matrices is in memory at a time.
        """
        from sklearn.preprocessing import StandardScaler  # takes half a second to import

        over = [(index, column.scaled_over) for index, column in enumerate(layout.columns)]
        scalers = {index: (StandardScaler(), StandardScaler()) for index, what in over if what}
        for matrix in frames:
            counted = {
                "speech": layout.is_speech(matrix),
                "voiced": matrix[:, layout.column("voiced")] > 0.5,
            }
            for index, what in over:
                if what:
                    values = matrix[:, index, None].astype(np.float64)
                    for scaler, part in zip(scalers[index], (values[counted[what]], values), strict=True):
                        if len(part):
                            scaler.partial_fit(part)
        if not all(hasattr(of_all, "mean_") for _, of_all in scalers.values()):
            raise UserError("cannot fit a feature encoder: the training split has no utterances")
        chosen = [own if hasattr(own, "mean_") else of_all for own, of_all in scalers.values()]
        mean = [float(scaler.mean_[0]) for scaler in chosen]
        std = [max(float(np.sqrt(scaler.var_[0])), _STD_FLOOR) for scaler in chosen]
        return cls(layout, mean, std)

    def encode(self, frames: np.ndarray | Tensor) -> SpeechContext:
        """Compact ``frames`` (frames, columns) → the unbatched speech context.

        Raises:
            UserError: if the number of columns differs, or an index is outside the column's categories.
        """
        layout = self.layout
        frames = torch.as_tensor(frames, dtype=torch.float32)
        if frames.ndim != 2 or frames.shape[1] != len(layout.columns):
            raise UserError(
                f"frames of shape {tuple(frames.shape)} do not fit the feature layout, which has "
                f"{len(layout.columns)} columns"
            )
        scaled = dict(zip(self.scaled, zip(self.mean, self.std, strict=True), strict=True))
        features = []
        for index, column in enumerate(layout.columns):
            values = frames[:, index]
            if not column.is_feature:
                continue
            if column.categories:
                features.append(_one_hot(values, column.name, len(column.categories)))
            elif index in scaled:
                mean, std = scaled[index]
                features.append(((values - mean) / std)[:, None])
            else:
                features.append(values[:, None])
        cycles, voiced = (frames[:, layout.column(name)].clone() for name in ("cycles", "voiced"))
        return SpeechContext(features=torch.cat(features, 1).T.contiguous(), cycles=cycles, voiced=voiced)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dictionary; see :meth:`from_dict`."""
        return {
            "layout": describe(self.layout),
            "columns": list(self.layout.column_names),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: object) -> "FeatureEncoder":
        """Inverse of ``to_dict``. The data may be untrusted.

        Raises:
            UserError: naming ``source``, if the data are malformed or of a version with other columns.
        """
        try:
            columns, mean, std = list(data["columns"]), list(data["mean"]), list(data["std"])
            mean, std = [float(value) for value in mean], [float(value) for value in std]
            described = data["layout"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{source}: malformed feature encoder: {error!r}") from error
        layout = restore(described, FeatureLayout, f"{source}, layout")
        if columns != list(layout.column_names):
            raise UserError(
                f"{source}: the feature layout has the columns {columns}, but this version of wavegen writes "
                f"{list(layout.column_names)}"
            )
        try:
            return cls(layout, mean, std)
        except UserError as error:
            raise UserError(f"{source}: {error}") from error


def _one_hot(values: Tensor, name: str, count: int) -> Tensor:
    indices = values.long()
    if indices.numel() and not (0 <= int(indices.min()) and int(indices.max()) < count):
        raise UserError(
            f"the column {name} contains values from {int(indices.min())} to {int(indices.max())}, which are "
            f"outside its {count} categories"
        )
    return one_hot(indices, count)
