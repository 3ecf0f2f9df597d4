"""Exact probabilities of grid points under a mixture of logistics."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from wavegen.distributions.logistic_mixture import LogisticMixture, weighted_logsumexp
from wavegen.distributions.precision import at_least_float32


class DiscretizedLogisticMixture(Distribution):
    r"""P(x) = Σ_k π_k [σ(a_k) − σ(b_k)]; a, b are the bin edges x ± step/2 in units of component k's scale.

    The lowest and the highest bin are open and include the tails, so the probabilities of the grid sum to 1.
    Each difference is computed as a logarithm, without a floor:

        log(σ(a) − σ(b)) = logσ(a) + logσ(−b) + log(1 − e^(b−a)),

    which is exact however far x is from the component. b − a = −step / s does not depend on x, so the last
    term depends on the parameters only. In an open bin, the term of the missing edge and the last term are 0.

    Shapes: ``logits``, ``loc``, ``log_scale`` are ``batch_shape + (K,)``; ``value`` broadcasts against
    the batch shape and holds grid points low, low + step, …, high. This is not checked: a value between two
    points gets the mass of a bin around itself. Log-probabilities are in nats and of *mass*;
    ``continuous`` is the density.

    Salimans et al. 2017, PixelCNN++ (arXiv 1701.05517); van den Oord et al. 2017, Parallel WaveNet
    (1711.10433).
    """

    arg_constraints = {
        "logits": constraints.real_vector,
        "loc": constraints.real_vector,
        "log_scale": constraints.real_vector,
    }
    support = constraints.real

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        log_scale: Tensor,
        step: float = 2.0**-15,
        low: float = -1.0,
        high: float = 1.0 - 2.0**-15,
        validate_args: bool | None = False,
    ) -> None:
        self.logits, self.loc, self.log_scale = torch.broadcast_tensors(
            *at_least_float32(logits, loc, log_scale)
        )
        self.step, self.low, self.high = step, low, high
        super().__init__(self.loc.shape[:-1], validate_args=validate_args)

    def expand(
        self, batch_shape: _size, _instance: Distribution | None = None
    ) -> "DiscretizedLogisticMixture":
        shape = torch.Size(batch_shape) + self.loc.shape[-1:]
        parameters = (self.logits.expand(shape), self.loc.expand(shape), self.log_scale.expand(shape))
        return DiscretizedLogisticMixture(*parameters, self.step, self.low, self.high)

    @property
    def continuous(self) -> LogisticMixture:
        """The continuous density that is discretised."""
        return LogisticMixture(self.logits, self.loc, self.log_scale)

    @property
    def mean(self) -> Tensor:
        """The mean of the continuous mixture."""
        return self.continuous.mean

    @property
    def variance(self) -> Tensor:
        """The variance of the continuous mixture."""
        return self.continuous.variance

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.to(self.loc.dtype).unsqueeze(-1)
        inverse_scale = torch.exp(-self.log_scale)
        width = self.step * inverse_scale
        u = (x - self.loc) * inverse_scale
        below_top = x < self.high - 0.5 * self.step
        above_bottom = x > self.low + 0.5 * self.step
        log_width_factor = log_one_minus_exp(width, math.log(self.step) - self.log_scale)
        log_mass = (
            F.logsigmoid(u + 0.5 * width) * below_top
            + F.logsigmoid(0.5 * width - u) * above_bottom
            + log_width_factor * (below_top & above_bottom)
        )
        return weighted_logsumexp(self.logits, log_mass)

    def to_grid(self, value: Tensor) -> Tensor:
        """The nearest grid point."""
        index = torch.round((value - self.low) / self.step)
        return (self.low + self.step * index).clamp(self.low, self.high)

    def sample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        return self.to_grid(self.continuous.sample(sample_shape))

    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """As ``LogisticMixture.sample_from_uniforms``, rounded to the grid and clipped to its ends."""
        return self.to_grid(self.continuous.sample_from_uniforms(u_component, u_value, temperature))


def log_one_minus_exp(width: Tensor, log_width: Tensor) -> Tensor:
    """log(1 − e^(−width)) for width > 0, given also log(width); finite even if width underflows.

    Below 1e-8 the series log(width) − width / 2 is exact to float64. The other branch then gets an input
    away from zero, so that its unused gradient is finite.
    """
    small = width < 1e-8
    return torch.where(
        small,
        log_width - 0.5 * width,
        torch.log(-torch.expm1(-torch.where(small, torch.ones_like(width), width))),
    )
