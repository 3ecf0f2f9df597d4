"""A density together with its data, the context that conditions it, and its device."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Distribution

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.models.density import DensityModel, FullDensity, offers


@dataclass
class Subject:
    """The methods of :class:`~wavegen.models.density.DensityModel` for events with labels, on the device."""

    model: DensityModel
    data: ImageSet | TableSet
    context: NoContext | LabelContext
    device: torch.device

    @property
    def is_bound(self) -> bool:
        return getattr(self.model, "is_bound", False)

    @property
    def is_conditional(self) -> bool:
        return isinstance(self.context, LabelContext)

    @property
    def _full(self) -> FullDensity:
        """The model; its optional methods are called only after a check that it has them."""
        return cast(FullDensity, self.model)

    def offers(self, *names: str) -> bool:
        return offers(self.model, *names)

    def encode(self, labels: Tensor | None) -> Tensor | None:
        labels = None if labels is None else labels.to(self.device)
        return self.context.encode(labels, self.data.num_classes)

    def distribution(self, labels: Tensor | None) -> Distribution:
        return self.model(self.encode(labels))

    def sample(self, count: int, labels: Tensor | None) -> Tensor:
        """Draws of ``count`` events; one for each label if the density is conditional."""
        distribution = self.distribution(labels)
        shape = torch.Size([] if distribution.batch_shape else [count])
        return distribution.sample(shape)

    def noise(self, count: int, labels: Tensor | None) -> Tensor:
        """Draws of the prior, one for each of ``count`` events."""
        prior = self._full.prior(self.encode(labels))
        return prior.sample(torch.Size([count] if not prior.batch_shape else []))

    def latents(self, x: Tensor, labels: Tensor | None) -> Tensor:
        return self._full.latents(self._events(x), self.encode(labels))

    def decode(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self._full.decode(z, self.encode(labels))

    def reconstruct(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._full.reconstruct(self._events(x), self.encode(labels))

    def reconstruct_draws(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._full.reconstruct_draws(z, self.encode(labels))

    def interpolate(
        self,
        first: Tensor,
        last: Tensor,
        weights: list[float],
        labels: Tensor | None,
        last_labels: Tensor | None,
    ) -> Tensor:
        ends = self._events(first), self._events(last)
        return self._full.interpolate(*ends, weights, self.encode(labels), self.encode(last_labels))

    def _events(self, x: Tensor) -> Tensor:
        return x.to(self.device).float()
