"""Heads for discrete levels: a categorical distribution over all levels, and a Bernoulli distribution."""

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical
from torch.types import _size

from wavegen.distributions.heads import check_parameters
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError


class CategoricalHead(nn.Module):
    """A free probability for each of the levels 0 … num_levels − 1. Parameters: their logits.

    ``forward`` maps ``(..., num_levels)`` to a :class:`Levels` of batch shape ``(...)``. Used in the first
    PixelRNN and PixelCNN (van den Oord et al. 2016, arXiv 1601.06759).
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
        """Equal probabilities."""
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
        """Equal probabilities."""
        return torch.zeros(1)


class Levels(Categorical):
    """A categorical distribution over levels represented as numbers of the logits' dtype.

    Example:
        >>> Levels(torch.tensor([0.0, 0.0])).log_prob(torch.tensor(1.0)).exp()
        tensor(0.5000)
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits=logits, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats. Raises ``UserError`` if a value is not a whole level within the range."""
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
        """Samples softmax(logits / T) as a function of one uniform in [0, 1), ``u_component``.

        ``u_value`` is ignored; it is a parameter so that all heads have the same signature.
        """
        cumulative = _sharpened(self.logits, temperature).softmax(-1).cumsum(-1)[..., :-1]
        level = (u_component.to(cumulative.dtype).unsqueeze(-1) >= cumulative).sum(-1)
        return level.to(self.logits.dtype)


class Bits(Bernoulli):
    """A Bernoulli distribution that can be sampled from given uniforms."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits=logits, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats. Raises ``UserError`` if a value is not 0 or 1."""
        if not (value.eq(0) | value.eq(1)).all():
            raise UserError(f"expected 0 and 1, got {_range(value)}")
        return super().log_prob(value)

    @torch.no_grad()
    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor | None, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """Samples sigmoid(logit / T), as :class:`Levels` does."""
        probability = _sharpened(self.logits.unsqueeze(-1), temperature).squeeze(-1).sigmoid()
        return (u_component < probability).to(self.logits.dtype)


def _sharpened(logits: Tensor, temperature: float | Tensor) -> Tensor:
    temperature = torch.as_tensor(temperature, dtype=logits.dtype, device=logits.device)
    return logits / temperature.clamp(min=1e-6).unsqueeze(-1)


def _range(value: Tensor) -> str:
    return f"values of {value.min().item():g} to {value.max().item():g}" if value.numel() else "nothing"
