"""Long-term prediction as a bijection: each glottal cycle is predicted from the one before."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.causal_affine import CausalAffine
from wavegen.nets.conditioning import entry
from wavegen.nets.upsampling import interpolate

LONGEST_FRAMES = 5
"""Longer cycles, below 40 Hz with frames of 5 ms, are not predicted."""
LARGEST_SUM = 0.98
"""Of the absolute taps; below 1 the synthesis is stable whatever the lags."""


class Lags(NamedTuple):
    """Where the previous cycle had the phase of a sample: between two samples; ``(batch, time)`` each.

    ``whole``: T, how many samples before t the first of them is, int64; 0 where there is no prediction.
    ``fraction``: f, its distance to the first in samples, in [0, 1).
    """

    whole: Tensor
    fraction: Tensor


class LongTermPrediction(CausalAffine):
    r"""A predictor whose taps lie around the same phase of the previous cycle.

    .. math:: z_t = e_t - \sum_{k=-K}^{K} b_k[n_t] \, \tilde e(\tau_t + k), \qquad
              c(\tau_t) = c(t) - 1, \qquad \log|\det| = 0

    c counts glottal cycles and :math:`\tilde e` is linear between samples, so lags are not limited to whole
    samples. Taps are computed from the context frame by frame, zero where a frame is unvoiced, with
    :math:`\sum_k |b_k| < 0.98`, so that the inverse is stable. In a series after
    :class:`~wavegen.flows.linear_prediction.LinearPrediction`, it is the second predictor of CELP coders
    (Atal and Schroeder 1984; Schroeder and Atal 1985).

    Periodicity of speech is not in the marks of its pulses, which jitter, but in the likeness of neighbouring
    cycles. Likelihood does not need exact marks to find that.

    Args:
        parameters: builds, called with ``num_parameters`` = 2K + 1, a module ``forward(context) ->
            (batch, frames, 2K + 1)`` of raw taps r; :math:`b_k = 0.98\, r_k / (1 + \sum_j |r_j|)`.
        hop_samples: samples per frame.
        reach: K, taps on each side.

    Shapes: ``(batch, time)``; the frames must cover the time.

    Raises:
        UserError: if the reach is negative.
    """

    def __init__(self, *, parameters: Callable[..., nn.Module], hop_samples: int, reach: int = 2) -> None:
        super().__init__()
        if reach < 0:
            raise UserError(f"LongTermPrediction: expected a reach of at least 0, got {reach}")
        self.parameter_source = parameters(num_parameters=2 * reach + 1)
        self.hop_samples, self.reach = hop_samples, reach

    @property
    def order(self) -> int:
        return LONGEST_FRAMES * self.hop_samples + self.reach + 1

    def taps(self, context: Context) -> Tensor:
        """b, ``(batch, frames, 2K + 1)``."""
        (raw,) = at_least_float32(self.parameter_source(context))
        voiced = entry(context, "voiced").to(raw.dtype)[..., None]
        return LARGEST_SUM * voiced * raw / (1 + raw.abs().sum(-1, keepdim=True))

    def lags(self, context: Context, num_samples: int) -> Lags:
        """The lags of the first samples; none to before the first sample."""
        cycles = interpolate(entry(context, "cycles").double(), self.hop_samples)[:, :num_samples]
        if num_samples < 2:
            return Lags(torch.zeros_like(cycles, dtype=torch.long), torch.zeros_like(cycles))
        wanted = cycles - 1
        after = torch.searchsorted(cycles.contiguous(), wanted.contiguous()).clamp(1, num_samples - 1)
        low, high = cycles.gather(1, after - 1), cycles.gather(1, after)
        fraction = ((wanted - low) / (high - low).clamp(min=1e-9)).clamp(0, 1 - 1e-6)
        whole = torch.arange(num_samples, device=cycles.device) - (after - 1)
        # The last tap, and the sample after it, must be in the past.
        usable = (wanted >= cycles[:, :1]) & (whole >= self.reach + 2)
        usable &= whole <= LONGEST_FRAMES * self.hop_samples
        return Lags(torch.where(usable, whole, 0), fraction)

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        time = x.shape[-1]
        lags, taps = self.lags(context, time), self._taps_of_samples(context, time)
        padded = functional.pad(x, (self.reach, self.reach + 2))
        return x - self.predict(padded, torch.arange(time, device=x.device), lags, taps), torch.zeros_like(x)

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        time = z.shape[-1]
        lags, taps = self.lags(context, time), self._taps_of_samples(context, time)
        # No sample depends on one that is nearer than the shortest lag: so many are computed at once.
        used = lags.whole[lags.whole > 0]
        block = int(used.min()) - self.reach - 1 if len(used) else time
        past, blocks = z.new_zeros(len(z), self.order), []
        for first in range(0, time, block):
            here = slice(first, min(first + block, time))
            place = self.order - self.reach + torch.arange(here.stop - first, device=z.device)
            local = Lags(lags.whole[:, here], lags.fraction[:, here])
            blocks.append(z[:, here] + self.predict(past, place, local, taps[:, here]))
            past = torch.cat([past, blocks[-1]], -1)[:, -self.order :]
        return torch.cat(blocks, -1), torch.zeros_like(z)

    def _taps_of_samples(self, context: Context, num_samples: int) -> Tensor:
        return self.taps(context).repeat_interleave(self.hop_samples, 1)[:, :num_samples]

    def predict(self, values: Tensor, place: Tensor, lags: Lags, taps: Tensor) -> Tensor:
        r"""The sums over k, ``(batch, samples)``, for samples whose index in ``values`` is ``place + reach``.

        Args:
            values: e, ``(batch, values)``; all that the lags reach.
            place: ``(samples,)`` or ``(batch, samples)``.
            lags, taps: of the samples, ``(batch, samples)`` and ``(batch, samples, 2K + 1)``.
        """
        first = torch.where(lags.whole > 0, place - lags.whole, 0)  # of the tap k = −K
        fraction = lags.fraction.to(values.dtype)
        around = [values.gather(1, first + k) for k in range(2 * self.reach + 2)]
        between = [a + fraction * (b - a) for a, b in zip(around[:-1], around[1:], strict=True)]
        total = sum(tap * value for tap, value in zip(taps.unbind(-1), between, strict=True))
        return torch.where(lags.whole > 0, total, 0.0)

    def extra_repr(self) -> str:
        return f"reach={self.reach}, hop_samples={self.hop_samples}"
