"""The logistic distribution, parametrised by location and log-scale."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from wavegen.distributions.precision import at_least_float32, bounded_logit


class Logistic(Distribution):
    r"""p(x) = σ(u) σ(−u) / s with u = (x − loc) / s and s = exp(log_scale).

    The CDF is σ(u). Both tails are exact in the logarithm: ``log_cdf`` is logσ(u), ``log_survival`` is
    logσ(−u), and neither is computed from the other. The entropy is log_scale + 2 nats.

    Shapes: ``loc`` and ``log_scale`` broadcast to the batch shape; the event shape is ().
    """

    arg_constraints = {"loc": constraints.real, "log_scale": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Tensor, log_scale: Tensor, validate_args: bool | None = False) -> None:
        self.loc, self.log_scale = torch.broadcast_tensors(*at_least_float32(loc, log_scale))
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "Logistic":
        batch_shape = torch.Size(batch_shape)
        return Logistic(self.loc.expand(batch_shape), self.log_scale.expand(batch_shape))

    @property
    def scale(self) -> Tensor:
        return torch.exp(self.log_scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (torch.pi**2 / 3) * torch.exp(2 * self.log_scale)

    @property
    def stddev(self) -> Tensor:
        return (torch.pi / 3**0.5) * self.scale

    def _standardise(self, value: Tensor) -> Tensor:
        return (value.to(self.loc.dtype) - self.loc) * torch.exp(-self.log_scale)

    def log_prob(self, value: Tensor) -> Tensor:
        u = self._standardise(value)
        # logσ(u) + logσ(−u), using logσ(−u) = logσ(u) − u
        return 2 * F.logsigmoid(u) - u - self.log_scale

    def cdf(self, value: Tensor) -> Tensor:
        return torch.sigmoid(self._standardise(value))

    def log_cdf(self, value: Tensor) -> Tensor:
        return F.logsigmoid(self._standardise(value))

    def log_survival(self, value: Tensor) -> Tensor:
        """log P(X > value)."""
        return F.logsigmoid(-self._standardise(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * torch.logit(value.to(self.loc.dtype))

    def rsample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        uniform = torch.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + self.scale * bounded_logit(uniform)

    def entropy(self) -> Tensor:
        return self.log_scale + 2.0
