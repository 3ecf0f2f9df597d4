"""Linear prediction as a bijection: speech ↔ normalised prediction residual."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.distributions.agreement import in_half_precision
from wavegen.distributions.batches import Context
from wavegen.distributions.lower_bound import lower_bound
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.all_pole import all_pole_filter
from wavegen.flows.causal_affine import CausalAffine


class LinearPrediction(CausalAffine):
    r"""A time-varying linear predictor and gain, both computed from the context.

    .. math:: e_t = \frac{1}{g_t} \Bigl( x_t - \sum_{i=1}^{p} a_i[n_t]\, x_{t-i} \Bigr), \qquad
              \log\Bigl|\det \frac{\partial e}{\partial x}\Bigr| = -\sum_t \log g_t

    with one set of taps per frame, :math:`n_t = \lfloor t / H \rfloor`, and :math:`x_{t<0} = 0`. The inverse
    is the all-pole filter :math:`x_t = g_t e_t + \sum_i a_i[n_t] x_{t-i}`, the vocal tract of source-filter
    models of speech (Atal and Hanauer 1971). It is an autoregressive affine bijection whose conditioner is
    linear in the past.

    ``parameters`` builds, called with ``num_parameters`` = order + 1, a module whose ``forward(context)`` is
    ``(batch, frames, order + 1)`` or ``(frames, order + 1)``: raw reflection coefficients and log-gains. A
    reflection coefficient is :math:`k = c \tanh(\text{raw})` with c = ``max_reflection`` < 1, so the filter
    of every frame is stable (:func:`taps_of_reflections`). ``bandwidth_expansion`` γ multiplies tap i by
    :math:`\gamma^i`, which moves every pole towards the origin and widens narrow resonances.
    ``initial_log_gain`` is added to the raw log-gains, which are bounded below by ``min_log_gain``.

    Shapes: x ``(batch, time)``; the frames must cover the time. Raises ``UserError`` if they do not, if the
    parameters have another shape, or if a setting is out of range.
    """

    def __init__(
        self,
        *,
        order: int,
        hop_samples: int,
        parameters: Callable[..., nn.Module],
        max_reflection: float = 0.998,
        bandwidth_expansion: float = 1.0,
        initial_log_gain: float = 0.0,
        min_log_gain: float = -12.0,
    ) -> None:
        super().__init__()
        if order < 1 or hop_samples < 1:
            raise UserError(
                f"LinearPrediction: expected order and hop_samples of at least 1, got {order} and "
                f"{hop_samples}"
            )
        if not 0 < max_reflection < 1:
            raise UserError(f"LinearPrediction: expected max_reflection in (0, 1), got {max_reflection}")
        if not 0 < bandwidth_expansion <= 1:
            raise UserError(
                f"LinearPrediction: expected bandwidth_expansion in (0, 1], got {bandwidth_expansion}"
            )
        self._order, self.hop_samples = order, hop_samples
        self.parameter_source = parameters(num_parameters=order + 1)
        self.max_reflection = max_reflection
        self.initial_log_gain, self.min_log_gain = initial_log_gain, min_log_gain
        expansion = bandwidth_expansion ** torch.arange(1, order + 1, dtype=torch.float64)
        self.register_buffer("expansion", expansion.float(), persistent=False)

    @property
    def order(self) -> int:
        return self._order

    def coefficients(self, context: Context = None) -> tuple[Tensor, Tensor]:
        """Taps ``(…, frames, order)`` and log-gains ``(…, frames)``."""
        (raw,) = at_least_float32(self.parameter_source(in_half_precision(self.parameter_source, context)))
        if raw.dim() not in (2, 3) or raw.shape[-1] != self.order + 1:
            raise UserError(
                f"LinearPrediction: expected parameters (batch, frames, {self.order + 1}), got shape "
                f"{tuple(raw.shape)}"
            )
        reflections = self.max_reflection * torch.tanh(raw[..., :-1])
        taps = taps_of_reflections(reflections) * self.expansion.to(raw.dtype)
        return taps, lower_bound(raw[..., -1] + self.initial_log_gain, self.min_log_gain)

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        x, taps, log_gain = self._aligned(x, context)
        return (x - predict(x, taps, self.hop_samples)) * torch.exp(-log_gain), log_gain

    def residual(self, x: Tensor, context: Context) -> Tensor:
        """g e: what the taps do not predict of ``x (batch, time)``, in its unit."""
        x, taps, _ = self._aligned(x, context)
        return x - predict(x, taps, self.hop_samples)

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        z, taps, log_gain = self._aligned(z, context)
        return all_pole_filter(z * torch.exp(log_gain), taps, self.hop_samples), log_gain

    def _aligned(self, value: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        """The value, taps for every frame of every member of the batch, and log-gains for every sample."""
        taps, log_gain = self.coefficients(context)
        (value,) = at_least_float32(value)
        covered = taps.shape[-2] * self.hop_samples
        if value.dim() != 2 or value.shape[-1] > covered:
            raise UserError(
                f"LinearPrediction: expected (batch, time) of at most {covered} samples, which the frames "
                f"cover, got shape {tuple(value.shape)}"
            )
        taps = taps.expand(len(value), -1, -1)
        log_gain = log_gain.expand(len(value), -1).repeat_interleave(self.hop_samples, -1)
        return value, taps, log_gain[:, : value.shape[-1]]

    def extra_repr(self) -> str:
        return f"order={self.order}, hop_samples={self.hop_samples}"


def taps_of_reflections(reflections: Tensor) -> Tensor:
    r"""Predictor taps :math:`a_1 … a_p` from reflection coefficients, ``(…, p)`` each (step-up recursion).

    .. math:: a^{(m)}_m = k_m, \qquad a^{(m)}_i = a^{(m-1)}_i - k_m a^{(m-1)}_{m-i}, \quad 1 \le i < m

    :math:`1 / (1 - \sum_i a_i z^{-i})` is stable exactly if all :math:`|k_m| < 1` (Markel and Gray 1976).
    """
    taps = reflections[..., :1]
    for m in range(1, reflections.shape[-1]):
        last = reflections[..., m : m + 1]
        taps = torch.cat([taps - last * taps.flip(-1), last], -1)
    return taps


def predict(x: Tensor, taps: Tensor, hop_samples: int) -> Tensor:
    r""":math:`\sum_i a_i[n_t]\, x_{t-i}` for each sample ``(batch, time)``; taps ``(batch, frames, p)``."""
    (batch, time), order = x.shape, taps.shape[-1]
    num_frames = -(-time // hop_samples)
    padded = functional.pad(x, (order, num_frames * hop_samples - time))
    # Frame n needs x from order samples before its start to the sample before its end.
    windows = padded[:, :-1].unfold(-1, order + hop_samples - 1, hop_samples)
    past = windows.unfold(-1, order, 1)  # (batch, frames, hop, order), oldest first
    predicted = torch.einsum("bnhp,bnp->bnh", past, taps[:, :num_frames].flip(-1))
    return predicted.reshape(batch, num_frames * hop_samples)[:, :time]
