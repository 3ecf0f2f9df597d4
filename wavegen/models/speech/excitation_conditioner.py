"""A conditioner of waveforms that models their excitation under a source-filter density."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.models.speech.source_filter import SourceFilter


class ExcitationConditioner(nn.Module):
    r"""A WaveNet reads the past excitation, and its distribution is mapped to the waveform.

    .. math:: \varepsilon = f(x), \qquad \theta_t = \text{wavenet}(\varepsilon_{<t}, c), \qquad
              p(x_t \mid x_{<t}) = \text{head}\bigl(\mu_t + S_t \cdot \theta_t\bigr)

    f is the density of the source-filter model, with location :math:`\mu_t(x_{<t}, c)` and scale
    :math:`S_t(c)`. ε has a scale near 1 whatever the sound, and an untrained net under a standard head has
    the likelihood of the source-filter model: it only has the residue to learn. Since f is a bijection that
    is affine in each sample, the probability of 16-bit samples remains exact. The source-filter model is
    frozen, and always in evaluation mode.

    Args:
        wavenet: causal conditioner of the excitation.
        source_filter: gives f.
        affine: ``affine(parameters, loc, log_scale)`` maps parameters of a head, e.g. a method of the head.
    """

    def __init__(
        self,
        *,
        wavenet: nn.Module,
        source_filter: SourceFilter,
        affine: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.wavenet, self.affine = wavenet, affine
        self.source_filter = source_filter.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "ExcitationConditioner":
        super().train(mode)
        self.source_filter.eval()
        return self

    @property
    def num_parameters(self) -> int:
        return self.wavenet.num_parameters

    @property
    def receptive_field(self) -> int:
        """Past samples of the waveform: those of the net, and those of the filter before them."""
        return self.wavenet.receptive_field + self.source_filter.density.receptive_field

    @property
    def lookahead_frames(self) -> int:
        """Frames of features after a frame that its parameters depend on."""
        return self.source_filter.lookahead_frames

    def forward(self, x: Tensor, context: Context = None) -> Tensor:
        loc, log_scale, excitation = self.source_filter.density.locate(x, context)
        return self.affine(self.wavenet(excitation, context), loc, log_scale)

    # Step form: that of the net, with the filter's past and the last location and scale in its state.

    def project_context(self, context: Context, num_samples: int) -> Tensor:
        """Taps, shift and log-scale of every sample, and the net's conditioning, as channels."""
        shift, log_scale, taps = self.step_parameters(context, num_samples)
        hop_samples = self.source_filter.hop_samples
        taps = taps.repeat_interleave(hop_samples, 1)[:, :num_samples].transpose(1, 2)
        channels = [taps, shift[:, None], log_scale[:, None]]
        inner = self.wavenet.project_context(context, num_samples)
        return torch.cat(channels if inner is None else [*channels, inner.to(taps.dtype)], 1)

    def step_parameters(self, context: Context, num_samples: int) -> tuple[Tensor, Tensor, Tensor]:
        r"""Shift and log-scale of samples ``(batch, num_samples)``, and taps ``(batch, frames, order)``.

        .. math:: \mu_t = \text{shift}_t + \sum_i a_i[n_t] x_{t-i}
        """
        filter, pulses = self.source_filter.filter, self.source_filter.pulses
        taps, log_gain = filter.coefficients(context)
        log_gain = log_gain.repeat_interleave(filter.hop_samples, -1)[:, :num_samples]
        shift, log_scale = pulses.shift_and_log_scale(context, num_samples)
        return log_gain.exp() * shift, log_gain + log_scale, taps

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor, object]:
        inner = self.wavenet.initial_state(batch_size)
        zeros = next(self.wavenet.parameters()).new_zeros(batch_size)
        past = zeros[:, None].repeat(1, self.source_filter.filter.order)
        return past, zeros, zeros, inner

    def step(
        self, x_previous: Tensor, projected: Tensor, state: tuple[Tensor, Tensor, Tensor, object]
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, object]]:
        past, loc, log_scale, inner = state
        order = past.shape[1]
        excitation = (x_previous - loc) * torch.exp(-log_scale)
        past = torch.cat([past[:, 1:], x_previous[:, None]], dim=1)
        taps, shift, log_scale = projected[:, :order], projected[:, order], projected[:, order + 1]
        loc = shift + (past.flip(1) * taps).sum(1)
        rest = projected[:, order + 2 :] if projected.shape[1] > order + 2 else None
        parameters, inner = self.wavenet.step(excitation, rest, inner)
        return self.affine(parameters, loc, log_scale), (past, loc, log_scale, inner)
