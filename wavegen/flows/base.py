"""Base densities of flows, as modules that move to the model's device and dtype."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Uniform

from wavegen.distributions.batches import Context, sum_last
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal


class _Independent(Independent):
    """torch's own fails for an empty batch."""

    def log_prob(self, value: Tensor) -> Tensor:
        return sum_last(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)


class _StandardBase(nn.Module):
    def __init__(self, event_shape: Sequence[int] = ()) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def _element(self) -> Distribution:
        raise NotImplementedError

    def forward(self, context: Context = None) -> Distribution:
        """The base distribution: batch shape (), event shape ``event_shape``. The context is ignored."""
        return _Independent(self._element(), len(self.event_shape), validate_args=False)

    def extra_repr(self) -> str:
        return f"event_shape={tuple(self.event_shape)}"


class StandardLogistic(_StandardBase):
    """Independent logistics with location 0 and scale 1, the noise of the Parallel WaveNet student."""

    def _element(self) -> Distribution:
        origin = self.origin.expand(self.event_shape)
        return Logistic(origin, origin)


class StandardNormal(_StandardBase):
    """Independent normals with mean 0 and standard deviation 1."""

    def _element(self) -> Distribution:
        origin = self.origin.expand(self.event_shape)
        return Normal(origin, origin)


class StandardUniform(_StandardBase):
    """Independent uniforms on (0, 1), the base for a CDF map. Outside the interval log_prob is −∞."""

    def _element(self) -> Distribution:
        origin = self.origin.expand(self.event_shape)
        return Uniform(origin, origin + 1.0, validate_args=False)
