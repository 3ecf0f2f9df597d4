"""Mu-law companding, and a categorical distribution over its levels."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError


def mu_law_encode(waveform: Tensor, quantization: int = 256) -> Tensor:
    """The level 0 … quantization − 1 nearest to each sample on the companded scale.

    y = sign(x) log(1 + μ|x|) / log(1 + μ) with μ = quantization − 1, then round((y + 1) μ / 2). Samples
    outside [−1, 1] are clipped. Shapes: ``waveform`` any; the result int64, the same. ITU-T G.711 in its
    continuous form, as in van den Oord et al. 2016, WaveNet (arXiv 1609.03499), equation 3.
    """
    mu = quantization - 1
    (waveform,) = at_least_float32(waveform)
    waveform = waveform.clamp(-1.0, 1.0)
    companded = torch.sign(waveform) * torch.log1p(mu * waveform.abs()) / math.log1p(mu)
    return torch.round((companded + 1.0) * (0.5 * mu)).long()


def mu_law_decode(level: Tensor, quantization: int = 256, dtype: torch.dtype = torch.float32) -> Tensor:
    """The waveform value of each level: x = sign(y) ((1 + μ)^|y| − 1) / μ, y = 2 · level / μ − 1.

    ``mu_law_encode`` inverts it exactly. The lowest and the highest level are exactly −1 and 1. Shapes:
    ``level`` any, result the same.
    """
    mu = quantization - 1
    companded = level.to(dtype) * (2.0 / mu) - 1.0
    return torch.sign(companded) * torch.expm1(companded.abs() * math.log1p(mu)) / mu


class MuLawCategorical(Distribution):
    """P(x) = softmax(logits)[level of x]: a free probability for each mu-law level, over waveform values.

    Values and samples are waveform values, not level indices, so the class is interchangeable with a
    mixture. Shapes: ``logits`` is ``batch_shape + (quantization,)``; values broadcast against the batch
    shape.

    Raises ``UserError`` if the last dimension of ``logits`` is not ``quantization``.

    van den Oord et al. 2016, WaveNet (arXiv 1609.03499), section 2.2.
    """

    arg_constraints = {"logits": constraints.real_vector}
    support = constraints.real

    def __init__(self, logits: Tensor, quantization: int = 256, validate_args: bool | None = False) -> None:
        if logits.shape[-1] != quantization:
            raise UserError(f"mu-law logits: expected {quantization} per sample, got {logits.shape[-1]}")
        (self.logits,) = at_least_float32(logits)
        self.quantization = quantization
        super().__init__(self.logits.shape[:-1], validate_args=validate_args)

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "MuLawCategorical":
        shape = torch.Size(batch_shape) + self.logits.shape[-1:]
        return MuLawCategorical(self.logits.expand(shape), self.quantization)

    @property
    def grid(self) -> Tensor:
        """The waveform value of every level, ``(quantization,)``."""
        level = torch.arange(self.quantization, device=self.logits.device)
        return mu_law_decode(level, self.quantization, self.logits.dtype)

    @property
    def mean(self) -> Tensor:
        return (torch.softmax(self.logits, -1) * self.grid).sum(-1)

    @property
    def variance(self) -> Tensor:
        deviation = self.grid - self.mean.unsqueeze(-1)
        return (torch.softmax(self.logits, -1) * deviation**2).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        level = mu_law_encode(value, self.quantization)
        shape = torch.broadcast_shapes(level.shape, self.batch_shape)
        chosen = self.logits.expand(*shape, -1).gather(-1, level.expand(shape).unsqueeze(-1)).squeeze(-1)
        return chosen - torch.logsumexp(self.logits, -1)

    def entropy(self) -> Tensor:
        log_weight = torch.log_softmax(self.logits, -1)
        return -(log_weight.exp() * log_weight).sum(-1)

    def sample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        shape = self._extended_shape(sample_shape)
        uniform = torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        return self.sample_from_uniforms(uniform, None)

    @torch.no_grad()
    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor | None, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """Samples softmax(logits / T) as a function of one uniform in [0, 1), ``u_component``, by inverting
        the cumulative sum. ``u_value`` is ignored; it is a parameter so that all heads have the same
        signature.
        """
        temperature = torch.as_tensor(temperature, dtype=self.logits.dtype, device=self.logits.device)
        sharpened = self.logits / temperature.clamp(min=1e-6).unsqueeze(-1)
        cumulative = torch.softmax(sharpened, -1).cumsum(-1)[..., :-1]
        level = (u_component.to(self.logits.dtype).unsqueeze(-1) >= cumulative).sum(-1)
        return mu_law_decode(level, self.quantization, self.logits.dtype)
