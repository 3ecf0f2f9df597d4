"""Conditioning of densities: none, or the label of an image."""

from torch import Tensor
from torch.nn.functional import one_hot

from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.errors import UserError


class NoContext:
    """p(x): labels are ignored."""

    def num_features(self, data: ImageSet | TableSet) -> int:
        return 0

    def encode(self, labels: Tensor | None, num_classes: int) -> None:
        return None


class LabelContext:
    """p(x | label): the label as a one-hot vector ``(batch, num_classes)``, float32."""

    def num_features(self, data: ImageSet | TableSet) -> int:
        """The number of classes. Raises ``UserError`` if the data have no labels."""
        if data.labels is None:
            raise UserError(f"context=labels: expected labelled data, but {data.name} has no labels")
        return data.num_classes

    def encode(self, labels: Tensor | None, num_classes: int) -> Tensor:
        assert labels is not None  # num_features refuses data without any
        return one_hot(labels, num_classes).float()
