"""The source of the voice: harmonics at the glottal phase, and coloured noise."""

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.audio.closures import polarity
from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.all_pole import all_pole_filter
from wavegen.flows.causal_affine import CausalAffine
from wavegen.flows.levinson import autocorrelation_of_spectrum, reflections_of_autocorrelation
from wavegen.flows.linear_prediction import predict, taps_of_reflections
from wavegen.nets.conditioning import entry, linear_interpolation, neighbours
from wavegen.nets.upsampling import interpolate

SPECTRUM_POINTS = 33
MIN_F0_HZ = 20.0
MIN_SHARE = 1e-3
"""Noise is never further than 30 dB below the harmonics, so that the map has an inverse."""
FADE_HZ = 100.0
"""Harmonics fade out linearly over this band below half the sample rate."""


class MixedSource(CausalAffine):
    r"""A level, divided in each band between a harmonic sum and noise.

    .. math:: e_t = r_t \Bigl( \underbrace{\pm v_t \sum_k \sqrt{1 - s_n(k F_0)}\; 2\sqrt{F_0 / R}\,
              \cos 2\pi k \varphi_t}_{h_t} + (N_n \varepsilon)_t \Bigr),
              \qquad |N_n(f)|^2 \approx s_n(f)

    :math:`\varphi` counts glottal cycles, so the harmonics are a pulse at every glottal closure; ± is the
    polarity of the recordings (:meth:`fit_to_data`). R is the sample rate, and :math:`s_n(f) \in (0.001, 1)`
    the share of noise in frame n, linear in frequency between ``num_bands`` points; 1 where unvoiced. The sum
    of all harmonics has power 1, as does white noise ε, so harmonics and noise together have a flat spectrum
    of power 1 whatever the shares. :math:`N_n` is the all-pole filter of order ``noise_order`` with that
    power spectrum, and r the level, log-linear between frames. Given the context, e is an affine function of
    ε:

    .. math:: \varepsilon = N^{-1}(e / r - h), \qquad
              \log\Bigl|\det\frac{\partial \varepsilon}{\partial e}\Bigr| = -\sum_t \log (r_t g_{n_t})

    with the gains g of the noise filters.

    Periodicity is given here because likelihood does not find it: pulse marks jitter by fractions of a
    millisecond, and a likelihood explains what it cannot place by noise. The level is not the likelihood's
    either: a logistic of the best scale has not the power of the residual.

    Args:
        parameters: builds, called with ``num_parameters`` = num_bands + 1, a module ``forward(context) ->
            (batch, frames, num_parameters)``: the logits of s, and log r.
        num_bands: points from 0 to half the sample rate, at least the two ends.
        hop_samples: samples per frame; a frame lasts 5 ms.
        noise_order: of the noise filter.
        initial_share: of noise, where the logits are zero.

    Shapes: ``(batch, time)``; the frames must cover the time.

    Raises:
        UserError: if there are fewer than two points, or the initial share is not between 0 and 1.

    Harmonic and noise models: Stylianou 2001, doi 10.1109/89.890068; as a neural source Wang et al. 2019,
    arXiv 1810.11946.
    """

    def __init__(
        self,
        *,
        parameters: Callable[..., nn.Module],
        num_bands: int,
        hop_samples: int,
        noise_order: int = 6,
        initial_share: float = 0.2,
    ) -> None:
        super().__init__()
        if num_bands < 2 or not 0 < initial_share < 1:
            raise UserError(
                "MixedSource: expected at least 2 num_bands and an initial_share between 0 and 1, got "
                f"{num_bands} and {initial_share}"
            )
        self.parameter_source = parameters(num_parameters=num_bands + 1)
        self.num_bands, self.hop_samples, self.noise_order = num_bands, hop_samples, noise_order
        self.initial_logit = math.log(initial_share / (1 - initial_share))
        self.register_buffer("polarity", torch.ones(()))

    @property
    def order(self) -> int:
        return self.noise_order

    @property
    def sample_rate(self) -> int:
        return 200 * self.hop_samples

    def fit_to_data(self, recordings: Iterable[np.ndarray]) -> None:
        """Takes the polarity of recordings ``(samples,)``: then pulses of voice and recording coincide."""
        self.polarity.fill_(polarity(recordings, self.sample_rate))

    def shares_and_log_level(self, context: Context, num_samples: int) -> tuple[Tensor, Tensor]:
        """s at the points of the bands, ``(batch, frames, num_bands)``; log r, ``(batch, num_samples)``."""
        (raw,) = at_least_float32(self.parameter_source(context))
        voiced = entry(context, "voiced").to(raw.dtype)[..., None]
        shares = 1 - voiced * (1 - MIN_SHARE) * torch.sigmoid(-(raw[..., :-1] + self.initial_logit))
        return shares, interpolate(raw[..., -1], self.hop_samples)[:, :num_samples]

    def harmonics(self, context: Context, shares: Tensor, num_samples: int) -> Tensor:
        """h, ``(batch, num_samples)``."""
        cycles, voiced = entry(context, "cycles").double(), entry(context, "voiced") > 0.5
        if not voiced.any():
            return shares.new_zeros(len(cycles), num_samples)
        amplitude = self.amplitudes(shares, self.f0_hz(cycles), voiced)
        return self._sum_harmonics(amplitude, cycles)[:, :num_samples]

    def amplitudes(self, shares: Tensor, f0_hz: Tensor, voiced: Tensor) -> Tensor:
        """Of the harmonics of each frame, ``(batch, frames, harmonics)``.

        Args:
            shares: of noise, ``(batch, frames, num_bands)``.
            f0_hz: ``(batch, frames)``, float64.
            voiced: ``(batch, frames)``, whether a frame is voiced; at least one must be.
        """
        nyquist_hz = self.sample_rate / 2
        num_harmonics = max(int(nyquist_hz / float(f0_hz[voiced].min())), 1)
        frequency_hz = f0_hz[..., None] * _multiples(num_harmonics, f0_hz)
        position = (frequency_hz / nyquist_hz).clamp(max=1) * (self.num_bands - 1)
        left = position.long().clamp(max=self.num_bands - 2)
        fraction = (position - left).to(shares.dtype)
        share = shares.gather(-1, left) * (1 - fraction) + shares.gather(-1, left + 1) * fraction
        fade = ((nyquist_hz - frequency_hz) / FADE_HZ).clamp(0, 1) * voiced[..., None]
        largest = (fade * 2 * (f0_hz[..., None] / self.sample_rate).sqrt()).to(shares.dtype)
        return (1 - share).clamp(min=1e-8).sqrt() * largest * self.polarity

    def _sum_harmonics(self, amplitude: Tensor, cycles: Tensor) -> Tensor:
        """Amplitudes ``(batch, frames, harmonics)`` are interpolated between frame centres.

        The interpolation weighs products with the amplitudes of three frames. So the amplitudes of single
        samples, the largest tensor by far, are never computed.
        """
        phase = interpolate(cycles, self.hop_samples).unflatten(-1, (-1, self.hop_samples))
        angle = 2 * torch.pi * (phase - phase.floor())
        waves = torch.cos(angle.to(amplitude.dtype)[..., None] * _multiples(amplitude.shape[-1], amplitude))
        products = waves @ neighbours(amplitude.transpose(1, 2)).permute(0, 2, 1, 3)
        weights = linear_interpolation(self.hop_samples).to(products).T
        return (products * weights).sum(-1).flatten(1)

    def f0_hz(self, cycles: Tensor) -> Tensor:
        """F0 in each frame, ``(batch, frames)`` as cycles: the cycles since the previous frame.

        In frames that repeat the last one, which pad shorter members of a batch, it stays as it was.
        """
        if cycles.shape[-1] == 1:
            return torch.full_like(cycles, MIN_F0_HZ)
        slope = functional.pad(cycles.diff(dim=-1), (1, 0), mode="replicate")
        frames = torch.arange(slope.shape[-1], device=slope.device)
        moving = torch.where(slope > 0, frames, 0).cummax(-1).values
        return (200 * slope.gather(-1, moving)).clamp(min=MIN_F0_HZ)

    def noise_filter(self, shares: Tensor, num_samples: int) -> tuple[Tensor, Tensor]:
        """Taps of the noise filter ``(batch, frames, noise_order)``, log-gains ``(batch, num_samples)``."""
        spectrum = functional.interpolate(
            shares.flatten(0, 1)[:, None], SPECTRUM_POINTS, mode="linear", align_corners=True
        )
        autocorrelation = autocorrelation_of_spectrum(spectrum[:, 0], self.noise_order)
        reflections, log_gain = reflections_of_autocorrelation(autocorrelation)
        taps = taps_of_reflections(reflections).unflatten(0, shares.shape[:2])
        log_gain = log_gain.unflatten(0, shares.shape[:2]).repeat_interleave(self.hop_samples, -1)
        return taps, log_gain[:, :num_samples]

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        shares, log_level = self.shares_and_log_level(context, x.shape[-1])
        taps, log_gain = self.noise_filter(shares, x.shape[-1])
        noise = x * torch.exp(-log_level) - self.harmonics(context, shares, x.shape[-1])
        white = (noise - predict(noise, taps, self.hop_samples)) * torch.exp(-log_gain)
        return white, log_level + log_gain

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        shares, log_level = self.shares_and_log_level(context, z.shape[-1])
        taps, log_gain = self.noise_filter(shares, z.shape[-1])
        noise = all_pole_filter(z * torch.exp(log_gain), taps, self.hop_samples)
        mixed = self.harmonics(context, shares, z.shape[-1]) + noise
        return mixed * torch.exp(log_level), log_level + log_gain


def _multiples(count: int, like: Tensor) -> Tensor:
    """1, 2, … count."""
    return torch.arange(1, count + 1, dtype=like.dtype, device=like.device)
