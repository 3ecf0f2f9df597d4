"""Heads for whole levels: one free mass for each, or the probability of the upper one of two."""

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical
from torch.types import _size

from wavegen.distributions.heads import check_parameters
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError


class CategoricalHead(nn.Module):
    """One free mass for each of ``num_levels`` levels 0 … num_levels − 1. Parameters: their logits.

    ``forward`` maps ``(..., num_levels)`` to a :class:`Levels` of batch shape ``(...)``. The first PixelRNN
    and PixelCNN have it (van den Oord et al. 2016, arXiv 1601.06759).
    """

    def __init__(self, num_levels: int) -> None:
        super().__init__()
        if num_levels < 2:
            raise UserError(f"num_levels: expected at least 2, got {num_levels}")
        self.num_levels = self.num_parameters = num_levels

    def forward(self, parameters: Tensor) -> "Levels":
        check_parameters(self, parameters)
        return Levels(*at_least_float32(parameters))

    def initial_bias(self) -> Tensor:
        """Equal masses."""
        return torch.zeros(self.num_levels)

    def extra_repr(self) -> str:
        return f"num_levels={self.num_levels}"


class BernoulliHead(nn.Module):
    """0 or 1. Parameter: the logit of 1. ``forward`` maps ``(..., 1)`` to a :class:`Bits`."""

    num_parameters = 1

    def forward(self, parameters: Tensor) -> "Bits":
        check_parameters(self, parameters)
        return Bits(*at_least_float32(parameters[..., 0]))

    def initial_bias(self) -> Tensor:
        """Equal masses."""
        return torch.zeros(1)


class Levels(Categorical):
    """A categorical distribution over levels that are told as numbers of the logits' type.

    Example:
        >>> Levels(torch.tensor([0.0, 0.0])).log_prob(torch.tensor(1.0)).exp()
        tensor(0.5000)
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits=logits, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log mass in nats. Raises ``UserError`` for what is no whole level of the range."""
        levels = value.long()
        if not (levels.eq(value) & levels.ge(0) & levels.lt(self._num_events)).all():
            raise UserError(f"expected whole levels of 0 to {self._num_events - 1}, got {_range(value)}")
        return super().log_prob(levels)

    def sample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        return super().sample(sample_shape).to(self.logits.dtype)

    @torch.no_grad()
    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor | None, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """A draw from softmax(logits / T) as a function of one uniform of [0, 1), ``u_component``.

        ``u_value`` is not used, and is taken so that every head is sampled by the same call.
        """
        cumulative = _sharpened(self.logits, temperature).softmax(-1).cumsum(-1)[..., :-1]
        level = (u_component.to(cumulative.dtype).unsqueeze(-1) >= cumulative).sum(-1)
        return level.to(self.logits.dtype)


class Bits(Bernoulli):
    """A Bernoulli distribution that autoregressive sampling can invert."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits=logits, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log mass in nats. Raises ``UserError`` for anything but 0 and 1."""
        if not (value.eq(0) | value.eq(1)).all():
            raise UserError(f"expected 0 and 1, got {_range(value)}")
        return super().log_prob(value)

    @torch.no_grad()
    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor | None, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """A draw from sigmoid(logit / T), as of :class:`Levels`."""
        probability = _sharpened(self.logits.unsqueeze(-1), temperature).squeeze(-1).sigmoid()
        return (u_component < probability).to(self.logits.dtype)


def _sharpened(logits: Tensor, temperature: float | Tensor) -> Tensor:
    temperature = torch.as_tensor(temperature, dtype=logits.dtype, device=logits.device)
    return logits / temperature.clamp(min=1e-6).unsqueeze(-1)


def _range(value: Tensor) -> str:
    return f"values of {value.min().item():g} to {value.max().item():g}" if value.numel() else "nothing"
