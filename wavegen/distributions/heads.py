"""Heads: modules that map a conditioner's raw parameters to one distribution per element."""

import torch
from torch import Tensor, nn

from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from wavegen.distributions.lower_bound import lower_bound
from wavegen.distributions.mu_law import MuLawCategorical, mu_law_decode, mu_law_encode
from wavegen.distributions.normal import DiscretizedNormal
from wavegen.errors import UserError


def check_parameters(head: nn.Module, parameters: Tensor) -> None:
    if parameters.shape[-1] != head.num_parameters:
        raise UserError(
            f"{type(head).__name__}: expected {head.num_parameters} parameters per element "
            f"in the last dimension, got shape {tuple(parameters.shape)}"
        )


class LogisticMixtureHead(nn.Module):
    """Mixture of K logistics on a grid. Parameters: logits | loc | log_scale, K each, in the last dimension.

    ``min_log_scale`` is an exact lower bound from which training can return (see ``lower_bound``). Samplers
    that use the head respect it automatically. ``forward`` maps ``(..., 3 K)`` to a
    ``DiscretizedLogisticMixture`` of batch shape ``(...)``, whose ``continuous`` is the density.

    Raises ``UserError`` if the last dimension is not ``num_parameters``.
    """

    def __init__(
        self,
        num_components: int,
        min_log_scale: float,
        *,
        initial_log_scale: float = -4.0,
        step: float = 2.0**-15,
        low: float = -1.0,
        high: float = 1.0 - 2.0**-15,
    ) -> None:
        super().__init__()
        if num_components < 1:
            raise UserError(f"num_components: expected at least 1, got {num_components}")
        self.num_components = num_components
        self.num_parameters = 3 * num_components
        self.min_log_scale = min_log_scale
        self.initial_log_scale = initial_log_scale
        self.step, self.low, self.high = step, low, high

    def forward(self, parameters: Tensor) -> DiscretizedLogisticMixture:
        check_parameters(self, parameters)
        logits, loc, log_scale = parameters.split(self.num_components, dim=-1)
        log_scale = lower_bound(log_scale, self.min_log_scale)
        return DiscretizedLogisticMixture(logits, loc, log_scale, self.step, self.low, self.high)

    def initial_bias(self, log_scale: float | None = None) -> Tensor:
        """Initial bias ``(3 K,)`` of the layer before the head: equal weights, and locations spread over ±0.1
        so that components differ. Log-scales are spread by ±1 around ``log_scale`` (None: the head's
        ``initial_log_scale``), because speech has silence and bursts; components of each width save about
        the first thousand training steps.
        """
        log_scale = self.initial_log_scale if log_scale is None else log_scale
        count = self.num_components
        spread = torch.linspace(-1.0, 1.0, count) if count > 1 else torch.zeros(1)
        # narrow components in the middle, wide ones outside
        width = spread.abs() * 2.0 - 1.0 if count > 1 else torch.zeros(1)
        return torch.cat([torch.zeros(count), 0.1 * spread, log_scale + width])

    def shift_loc(self, parameters: Tensor, delta: Tensor) -> Tensor:
        """Adds ``delta``, of shape ``parameters.shape[:-1]``, to every location."""
        logits, loc, log_scale = parameters.split(self.num_components, dim=-1)
        return torch.cat([logits, loc + delta.unsqueeze(-1), log_scale], dim=-1)

    def affine(self, parameters: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
        """The parameters of loc + exp(log_scale) · x; both of shape ``parameters.shape[:-1]``."""
        logits, locs, log_scales = parameters.split(self.num_components, dim=-1)
        locs = torch.addcmul(loc[..., None], locs, log_scale.exp()[..., None])
        return torch.cat([logits, locs, log_scales + log_scale[..., None]], dim=-1)

    def extra_repr(self) -> str:
        return f"num_components={self.num_components}, min_log_scale={self.min_log_scale}"


class NormalHead(nn.Module):
    """One normal on a grid. Parameters: loc | log_scale. Bound, grid and errors as ``LogisticMixtureHead``.

    ``forward`` maps ``(..., 2)`` to a ``DiscretizedNormal`` of batch shape ``(...)``.
    Ping et al. 2018, ClariNet (arXiv 1807.07281).
    """

    num_parameters = 2

    def __init__(
        self,
        min_log_scale: float,
        *,
        initial_log_scale: float = -4.0,
        step: float = 2.0**-15,
        low: float = -1.0,
        high: float = 1.0 - 2.0**-15,
    ) -> None:
        super().__init__()
        self.min_log_scale = min_log_scale
        self.initial_log_scale = initial_log_scale
        self.step, self.low, self.high = step, low, high

    def forward(self, parameters: Tensor) -> DiscretizedNormal:
        check_parameters(self, parameters)
        loc, log_scale = parameters.unbind(-1)
        return DiscretizedNormal(
            loc, lower_bound(log_scale, self.min_log_scale), self.step, self.low, self.high
        )

    def initial_bias(self, log_scale: float | None = None) -> Tensor:
        """Initial bias of the layer before the head: location 0 and ``log_scale`` (None: the head's own)."""
        return torch.tensor([0.0, self.initial_log_scale if log_scale is None else log_scale])

    def shift_loc(self, parameters: Tensor, delta: Tensor) -> Tensor:
        """Adds ``delta``, of shape ``parameters.shape[:-1]``, to the location."""
        return torch.stack([parameters[..., 0] + delta, parameters[..., 1]], dim=-1)

    def affine(self, parameters: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
        """The parameters of loc + exp(log_scale) · x; both of shape ``parameters.shape[:-1]``."""
        own_loc, own_log_scale = parameters.unbind(-1)
        return torch.stack([loc + log_scale.exp() * own_loc, own_log_scale + log_scale], dim=-1)

    def extra_repr(self) -> str:
        return f"min_log_scale={self.min_log_scale}"


class MuLawHead(nn.Module):
    """A free probability for each mu-law level. Parameters: ``quantization`` logits. No location to shift.

    ``forward`` maps ``(..., quantization)`` to a ``MuLawCategorical`` of batch shape ``(...)``.
    """

    def __init__(self, quantization: int = 256) -> None:
        super().__init__()
        self.quantization = quantization
        self.num_parameters = quantization

    def forward(self, parameters: Tensor) -> MuLawCategorical:
        check_parameters(self, parameters)
        return MuLawCategorical(parameters, self.quantization)

    def observed(self, x: Tensor) -> Tensor:
        """Quantises a waveform to the levels of this head; training then sees the past as sampling does."""
        return mu_law_decode(mu_law_encode(x, self.quantization), self.quantization, x.dtype)

    def initial_bias(self) -> Tensor:
        """Equal probabilities."""
        return torch.zeros(self.quantization)

    def extra_repr(self) -> str:
        return f"quantization={self.quantization}"
