"""Source and filter: speech without a WaveNet, as affine maps of white noise."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.flows.causal_affine import CausalAffine, CausalAffineSeries
from wavegen.flows.flow import Flow
from wavegen.flows.linear_prediction import LinearPrediction
from wavegen.models.speech.long_term_prediction import LONGEST_FRAMES, LongTermPrediction
from wavegen.models.speech.mixed_source import MixedSource
from wavegen.models.speech.pulse_source import PulseSource
from wavegen.models.speech.white_noise import Family, WhiteNoise


class AffineNoise(Flow):
    r"""White noise through causal affine bijections whose scales depend on the context only.

    .. math:: x_t = \mu_t(x_{<t}) + S_t \varepsilon_t, \qquad \log S_t = \sum_i \log S^i_t

    So the distribution of a sample given the past has the family of the noise, and
    :math:`\mu_t = x_t - S_t \varepsilon_t` for any x and its noise :math:`\varepsilon = f(x)`.

    Args:
        bijections: in the order of normalisation x → ε.
        family: of the noise.
        hop_samples: samples per frame.
    """

    base: WhiteNoise
    bijection: CausalAffineSeries

    def __init__(self, *bijections: CausalAffine, family: Family, hop_samples: int) -> None:
        super().__init__(bijection=CausalAffineSeries(*bijections), base=WhiteNoise(family, hop_samples))

    @property
    def receptive_field(self) -> int:
        """The number of past samples that the location of a sample depends on."""
        return self.bijection.order

    def locate(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        r""":math:`\mu`, :math:`\log S` and :math:`\varepsilon` of waveforms, ``(batch, time)`` each."""
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 is too coarse for a filter's taps
            noise, log_scale = self.bijection.normalise(x, context)
        return x - log_scale.exp() * noise, log_scale, noise

    def conditionals(self, x: Tensor, context: Context = None) -> DiscretizedLogisticMixture:
        """p(x_t | x_<t, context) of 16-bit samples under logistic noise; batch shape ``(batch, time)``."""
        loc, log_scale, _ = self.locate(x, context)
        return DiscretizedLogisticMixture(
            torch.zeros_like(loc)[..., None], loc[..., None], log_scale[..., None]
        )

    def noise(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """White noise of the family by inversion of its CDF; the generator's seed decides it."""
        return self.base.draw(shape, generator)

    def rsample_with_conditionals(
        self, noise: Tensor, context: Context = None
    ) -> tuple[Tensor, Normal | Logistic]:
        """The waveform of ``noise (batch, time)``, and the distribution of each sample given past noise."""
        with torch.autocast(noise.device.type, enabled=False):
            x, log_scale = self.bijection.generate(noise, context)
        return x, self.base.family(x - log_scale.exp() * noise, log_scale)


class SourceFilter(nn.Module):
    r"""One filter and two sources: pulses, fitted by likelihood, and a mixture, which speaks.

    .. math:: x = A^{-1}(g \, e), \qquad
              e = B^{-1}(h + e^{m} \varepsilon) \;\text{(pulses)} \quad\text{or}\quad
              e = r (\text{harmonics} + N \varepsilon) \;\text{(mixture)}

    - :attr:`density`: filter, long-term prediction B and pulses over logistic noise. It gives the exact
      probability of 16-bit samples. Maximum likelihood fits all its parameters within minutes. Its samples
      have a lower harmonicity than speech: the pulses alone give a whisper, because pulse marks are not exact
      to the sample, and the long-term prediction is only as strong as cycles are alike on average.
    - :attr:`voice`: filter and mixture over Gaussian noise. The shares of harmonics and noise and the level r
      are fitted by spectra. It speaks.

    Their parameters depend on the context only, never on the past.

    Args:
        filter: linear prediction, x → e.
        pulses: source of the density.
        mixture: source of the voice.
        hop_samples: samples per frame.
        long_term: long-term prediction of the density; None for none.
    """

    def __init__(
        self,
        *,
        filter: LinearPrediction,
        pulses: PulseSource,
        mixture: MixedSource,
        hop_samples: int,
        long_term: LongTermPrediction | None = None,
    ) -> None:
        super().__init__()
        self.filter, self.pulses, self.mixture, self.hop_samples = filter, pulses, mixture, hop_samples
        self.long_term = long_term

    @property
    def density(self) -> AffineNoise:
        """The flow of filter, long-term prediction and pulses: a sequential model, for likelihoods."""
        predictors = [self.filter, self.long_term] if self.long_term else [self.filter]
        return AffineNoise(*predictors, self.pulses, family=Logistic, hop_samples=self.hop_samples)

    @property
    def voice(self) -> AffineNoise:
        """The flow of filter and mixture: a parallel model, for speech."""
        flow = AffineNoise(self.filter, self.mixture, family=Normal, hop_samples=self.hop_samples)
        return flow.to(next(self.parameters()).device)

    @property
    def lookahead_frames(self) -> int:
        """Frames of features before and after a sample's own on which it depends.

        Those of the nets or of the longest lag, and one for the interpolation between frames.
        """
        parts = [self.filter, self.mixture] + ([self.long_term] if self.long_term else [])
        lag = LONGEST_FRAMES if self.long_term else 0
        return 1 + max(lag, *(part.parameter_source.context_frames for part in parts))

    @property
    def past_samples(self) -> int:
        """Samples before an excerpt, with their features, that the density within the excerpt depends on."""
        return max(self.density.receptive_field, self.lookahead_frames * self.hop_samples)
