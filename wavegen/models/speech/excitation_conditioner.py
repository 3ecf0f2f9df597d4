"""A conditioner of waveforms that models their excitation under a source-filter density."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.models.speech.long_term_prediction import Lags
from wavegen.models.speech.source_filter import SourceFilter


class StepParameters(NamedTuple):
    r"""What maps the excitation of each sample to the waveform.

    .. math:: x_t = p_t + g_t \Bigl(h_t + \sum_k b_k[n_t] \tilde r(t - T_t + k)\Bigr) + S_t \varepsilon_t,
              \quad p_t = \sum_i a_i[n_t] x_{t-i}, \quad r_t = (x_t - p_t) / g_t

    ``taps`` a, ``(batch, frames, order)``; ``shift`` h, ``log_scale`` of S and ``log_gain`` of g,
    ``(batch, samples)``; ``lags`` T; ``long_term_taps`` b, ``(batch, frames, 2K + 1)``, none without
    long-term prediction.
    """

    taps: Tensor
    shift: Tensor
    log_scale: Tensor
    log_gain: Tensor
    lags: Lags
    long_term_taps: Tensor


@dataclass(frozen=True)
class StepState:
    """After a step: past samples and residuals, oldest first; of the next sample its prediction by the
    filter, log-gain, location and log-scale; the net's state."""

    past: Tensor
    residuals: Tensor
    prediction: Tensor
    log_gain: Tensor
    loc: Tensor
    log_scale: Tensor
    inner: object


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

    def forward(self, x: Tensor, context: Context = None) -> Tensor:
        loc, log_scale, excitation = self.source_filter.density.locate(x, context)
        return self.affine(self.wavenet(excitation, context), loc, log_scale)

    # Step form: that of the net, with the past of waveform and residual in its state.

    def project_context(self, context: Context, num_samples: int) -> Tensor:
        """The step parameters of every sample and the net's conditioning, as channels."""
        step = self.step_parameters(context, num_samples)
        samples = [step.shift, step.log_scale, step.log_gain, step.lags.whole, step.lags.fraction]
        channels = torch.stack([each.to(step.taps.dtype) for each in samples], 1)
        frames = torch.cat([step.taps, step.long_term_taps], -1)
        frames = frames.repeat_interleave(self.source_filter.hop_samples, 1)[:, :num_samples].transpose(1, 2)
        inner = self.wavenet.project_context(context, num_samples)
        return torch.cat([channels, frames, *([] if inner is None else [inner.to(frames.dtype)])], 1)

    def step_parameters(self, context: Context, num_samples: int) -> StepParameters:
        """Those of the first samples; see :class:`StepParameters`."""
        model = self.source_filter
        taps, log_gain = model.filter.coefficients(context)
        log_gain = log_gain.repeat_interleave(model.hop_samples, -1)[:, :num_samples]
        shift, log_scale = model.pulses.shift_and_log_scale(context, num_samples)
        if model.long_term is None:
            none = torch.zeros_like(log_gain)
            lags, long_term_taps = Lags(none.long(), none), taps[..., :0]
        else:
            lags, long_term_taps = model.long_term.lags(context, num_samples), model.long_term.taps(context)
        return StepParameters(taps, shift, log_gain + log_scale, log_gain, lags, long_term_taps)

    def initial_state(self, batch_size: int) -> StepState:
        inner = self.wavenet.initial_state(batch_size)
        zeros = next(self.wavenet.parameters()).new_zeros(batch_size)
        past, residual = (
            zeros[:, None].repeat(1, order) for order in (self.source_filter.filter.order, self._residuals)
        )
        return StepState(past, residual, zeros, zeros, zeros, zeros, inner)

    @property
    def _residuals(self) -> int:
        """Past residuals that the long-term prediction reads."""
        long_term = self.source_filter.long_term
        return long_term.order if long_term else 0

    def step(self, x_previous: Tensor, projected: Tensor, state: StepState) -> tuple[Tensor, StepState]:
        excitation = (x_previous - state.loc) * torch.exp(-state.log_scale)
        residual = (x_previous - state.prediction) * torch.exp(-state.log_gain)
        past = torch.cat([state.past[:, 1:], x_previous[:, None]], dim=1)
        residuals = torch.cat([state.residuals, residual[:, None]], dim=1)[:, 1:]
        shift, log_scale, log_gain, whole, fraction = projected[:, :5].unbind(1)
        taps, rest = projected[:, 5:].tensor_split([past.shape[1]], 1)
        prediction = (past.flip(1) * taps).sum(1)
        total = shift
        if long_term := self.source_filter.long_term:
            long_term_taps, rest = rest.tensor_split([2 * long_term.reach + 1], 1)
            place = torch.full_like(whole, self._residuals - long_term.reach).long()
            lags = Lags(whole.long()[:, None], fraction[:, None])
            total = total + long_term.predict(residuals, place[:, None], lags, long_term_taps[:, None])[:, 0]
        loc = prediction + log_gain.exp() * total
        parameters, inner = self.wavenet.step(excitation, rest if rest.shape[1] else None, state.inner)
        after = StepState(past, residuals, prediction, log_gain, loc, log_scale, inner)
        return self.affine(parameters, loc, log_scale), after
