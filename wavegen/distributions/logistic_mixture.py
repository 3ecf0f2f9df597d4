"""A mixture of logistics on the real line, the teacher's density."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from wavegen.distributions.fixed_point import all_true
from wavegen.distributions.mixture_kernel import logistic_mixture_kernel
from wavegen.distributions.precision import at_least_float32, bounded_logit


class LogisticMixture(Distribution):
    r"""p(x) = Σ_k π_k · Logistic(x; loc_k, exp(log_scale_k)), π = softmax(logits).

    The components are the last dimension of the parameters, which is not part of the batch shape. log-CDF
    and log-survival are separate log-sum-exps, because 1 − F has no precision in the upper tail.

    Shapes: ``logits``, ``loc``, ``log_scale`` are ``batch_shape + (K,)``; ``value`` broadcasts against the
    batch shape, for example ``(draws, batch, time)`` for parameters ``(batch, time, K)``.

    Salimans et al. 2017, PixelCNN++ (arXiv 1701.05517); as a monotone map in flows, Ho et al. 2019, Flow++
    (1902.00275).
    """

    arg_constraints = {
        "logits": constraints.real_vector,
        "loc": constraints.real_vector,
        "log_scale": constraints.real_vector,
    }
    support = constraints.real

    def __init__(
        self, logits: Tensor, loc: Tensor, log_scale: Tensor, validate_args: bool | None = False
    ) -> None:
        self.logits, self.loc, self.log_scale = torch.broadcast_tensors(
            *at_least_float32(logits, loc, log_scale)
        )
        super().__init__(self.loc.shape[:-1], validate_args=validate_args)

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "LogisticMixture":
        shape = torch.Size(batch_shape) + self.loc.shape[-1:]
        return LogisticMixture(
            self.logits.expand(shape), self.loc.expand(shape), self.log_scale.expand(shape)
        )

    @property
    def mean(self) -> Tensor:
        return (torch.softmax(self.logits, -1) * self.loc).sum(-1)

    @property
    def variance(self) -> Tensor:
        weight = torch.softmax(self.logits, -1)
        within = (torch.pi**2 / 3) * torch.exp(2 * self.log_scale)
        between = (self.loc - self.mean.unsqueeze(-1)) ** 2
        return (weight * (within + between)).sum(-1)

    def _standardise(self, value: Tensor) -> Tensor:
        return (value.to(self.loc.dtype).unsqueeze(-1) - self.loc) * torch.exp(-self.log_scale)

    def log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.loc.dtype)
        # the scale is added to the logits, once for all draws
        log_sum = logistic_mixture_kernel(value, self.logits - self.log_scale, self.loc, self.log_scale)
        return log_sum - torch.logsumexp(self.logits, -1)

    def log_cdf(self, value: Tensor) -> Tensor:
        return weighted_logsumexp(self.logits, F.logsigmoid(self._standardise(value)))

    def log_survival(self, value: Tensor) -> Tensor:
        """log P(X > value)."""
        return weighted_logsumexp(self.logits, F.logsigmoid(-self._standardise(value)))

    def cdf(self, value: Tensor) -> Tensor:
        return torch.exp(self.log_cdf(value))

    def log_odds(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """log F − log(1 − F) at ``value``, and the logarithm of its derivative p / (F (1 − F)).

        All three sums share logσ(u): logσ(−u) = logσ(u) − u, and the density is the product of the two
        over s.
        """
        u = self._standardise(value)
        below = F.logsigmoid(u)
        above = below - u
        log_cdf = weighted_logsumexp(self.logits, below)
        log_survival = weighted_logsumexp(self.logits, above)
        log_density = weighted_logsumexp(self.logits, below + above - self.log_scale)
        return log_cdf - log_survival, log_density - log_cdf - log_survival

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile of probability ``value``; no gradient."""
        return self.quantile_at_logit(bounded_logit(value.to(self.loc.dtype)))

    @torch.no_grad()
    def quantile_at_logit(self, logit: Tensor, max_iterations: int = 200) -> Tensor:
        """Solves log F(x) − log(1 − F(x)) = logit for x, to the precision of the dtype; no gradient.

        Log-odds do not saturate, so quantiles far out in either tail are as exact as central ones. The
        quantile of the mixture is between the smallest and the largest quantile of its components at the
        same level, which is an exact bracket. Newton steps start from the best point so far and aim two
        floats beyond the target, so that the bracket shrinks from both sides. Bisection replaces every
        fourth step and any step outside the bracket. An element is finished if the equation holds to
        rounding, or if its bracket is a few floats wide, relative to x or to the smallest scale.
        """
        logit = logit.to(self.loc.dtype)
        largest = torch.finfo(self.loc.dtype).max / 4  # quantiles beyond it are not numbers of this dtype
        scale = torch.exp(self.log_scale).clamp(max=largest)
        component = (self.loc + scale * logit.unsqueeze(-1)).clamp(-largest, largest)
        low, high = component.amin(-1), component.amax(-1)
        resolution = torch.finfo(low.dtype).eps
        smallest_scale = scale.amin(-1)
        residual_resolution = 4 * resolution * (1 + logit.abs())
        x = 0.5 * (low + high)
        best_x, best_residual, best_step = x, torch.full_like(x, torch.inf), torch.zeros_like(x)
        for iteration in range(max_iterations):
            log_odds, log_slope = self.log_odds(x)
            residual = log_odds - logit
            low = torch.where(residual < 0, x, low)
            high = torch.where(residual > 0, x, high)
            tolerance = resolution * (2 * torch.maximum(low.abs(), high.abs()) + smallest_scale)
            step = -residual * torch.exp(-log_slope) - residual.sign() * tolerance
            better = residual.abs() < best_residual.abs()
            best_x, best_step = torch.where(better, x, best_x), torch.where(better, step, best_step)
            best_residual = torch.where(better, residual, best_residual)
            solved = (best_residual.abs() <= residual_resolution) | (high - low <= 4 * tolerance)
            if all_true(solved):
                break
            newton = best_x + best_step
            inside = (newton > low) & (newton < high) & (iteration % 4 != 3)
            x = torch.where(inside, newton, 0.5 * (low + high))
        return best_x

    def sample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            uniforms = torch.rand((2, *shape), dtype=self.loc.dtype, device=self.loc.device)
            return self.sample_from_uniforms(uniforms[0], uniforms[1])

    @torch.no_grad()
    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """A sample as a function of two uniforms in [0, 1): one selects the component, one its value.

        ``temperature`` T ≥ 0 samples from softmax(logits / T) with scales T · s. 1 is the model, values
        below 1 are closer to the modes, and 0 gives the location of the component with the largest weight.
        A tensor broadcasts with the batch shape.
        """
        temperature = torch.as_tensor(temperature, dtype=self.loc.dtype, device=self.loc.device)
        sharpened = self.logits / temperature.clamp(min=1e-6).unsqueeze(-1)
        cumulative = torch.softmax(sharpened, -1).cumsum(-1)[..., :-1]
        index = (u_component.to(self.loc.dtype).unsqueeze(-1) >= cumulative).sum(-1, keepdim=True)
        shape = index.shape[:-1] + self.loc.shape[-1:]
        loc = self.loc.expand(shape).gather(-1, index).squeeze(-1)
        log_scale = self.log_scale.expand(shape).gather(-1, index).squeeze(-1)
        return loc + temperature * torch.exp(log_scale) * bounded_logit(u_value.to(self.loc.dtype))


def weighted_logsumexp(logits: Tensor, values: Tensor) -> Tensor:
    """log Σ_k π_k e^(values_k), π = softmax(logits), over the last dimension.

    Two reductions and a difference. A log-softmax over a short last dimension is slow on a CPU (it took a
    third of the time), and the normaliser does not have the dimension of draws.
    """
    return torch.logsumexp(values + logits, -1) - torch.logsumexp(logits, -1)
