"""The source of the likelihood: shift and scale of the excitation at each phase of the glottal cycle."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.flows.causal_affine import CausalAffine
from wavegen.nets.conditioning import Conditioning, entry
from wavegen.nets.upsampling import interpolate

LOGISTIC_VARIANCE = torch.pi**2 / 3
LEVEL_FRAMES = 5
"""The level is a mean over 25 ms, more than one period of a voice."""


class PulseSource(CausalAffine):
    r"""An elementwise affine map of the excitation, given phase and context.

    .. math:: \varepsilon_t = \frac{e_t - h_t}{\exp m_t}, \qquad (h_t, m_t) = \text{net}(c_t), \qquad
              \log\Bigl|\det\frac{\partial \varepsilon}{\partial e}\Bigr| = -\sum_t m_t

    The net reads one sample of the conditioning: the glottal phase and the features. A prediction residual
    is large at glottal closures and small elsewhere. With this map, maximum likelihood finds the filter from
    the closed phases too, and the filter does not have to explain the pulses.

    Args:
        conditioning: parts whose channels the net reads.
        hidden_channels: width of its two hidden layers.

    Shapes: ``(batch, time)``; the frames of the context must cover the time.
    """

    def __init__(self, *, conditioning: Sequence[nn.Module], hidden_channels: int = 32) -> None:
        super().__init__()
        self.conditioning = Conditioning(conditioning)
        self.net = nn.Sequential(
            nn.Conv1d(self.conditioning.channels, hidden_channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden_channels, hidden_channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden_channels, 2, 1),
        )
        last = self.net[-1]
        nn.init.zeros_(last.bias)
        last.weight.data.mul_(0.1)

    def shift_and_log_scale(self, context: Context, num_samples: int) -> tuple[Tensor, Tensor]:
        """h and m, ``(batch, num_samples)`` each."""
        shift, log_scale = at_least_float32(*self.net(self.conditioning(context, num_samples)).unbind(1))
        return shift, log_scale

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.shift_and_log_scale(context, x.shape[-1])
        return (x - shift) * torch.exp(-log_scale), log_scale

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.shift_and_log_scale(context, z.shape[-1])
        return shift + z * torch.exp(log_scale), log_scale


class PulseLevel(CausalAffine):
    r"""Gives an excitation of unit power the power of the pulses: :math:`e_t = r_t u_t`.

    .. math:: r_n^2 = \operatorname{mean}\bigl(h_t^2 + \tfrac{\pi^2}{3} e^{2 m_t}\bigr)

    over the ``LEVEL_FRAMES`` frames around frame n, interpolated linearly between frame centres.

    Args:
        pulses: the source whose level is given.
        hop_samples: samples per frame.
    """

    def __init__(self, *, pulses: PulseSource, hop_samples: int) -> None:
        super().__init__()
        self.pulses, self.hop_samples = pulses, hop_samples

    def log_level(self, context: Context, num_samples: int) -> Tensor:
        r""":math:`\log r` at each sample, ``(batch, num_samples)``."""
        num_frames = entry(context, "cycles").shape[-1]
        shift, log_scale = self.pulses.shift_and_log_scale(context, num_frames * self.hop_samples)
        power = shift.square() + LOGISTIC_VARIANCE * torch.exp(2 * log_scale)
        of_frames = power.unflatten(-1, (num_frames, self.hop_samples)).mean(-1)
        half = LEVEL_FRAMES // 2
        padded = functional.pad(of_frames[:, None], (half, half), mode="replicate")
        smooth = functional.avg_pool1d(padded, 2 * half + 1, 1)[:, 0]
        return 0.5 * interpolate(smooth, self.hop_samples)[:, :num_samples].log()

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        log_scale = self.log_level(context, x.shape[-1])
        return x * torch.exp(-log_scale), log_scale

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        log_scale = self.log_level(context, z.shape[-1])
        return z * torch.exp(log_scale), log_scale
