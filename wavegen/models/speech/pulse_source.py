"""The source of the likelihood: shift and scale of the excitation at each phase of the glottal cycle."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.flows.causal_affine import CausalAffine
from wavegen.nets.conditioning import Conditioning


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
        channels = self.conditioning(context, num_samples)
        shift, log_scale = at_least_float32(*self.net(channels).unbind(1))
        return shift, log_scale

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.shift_and_log_scale(context, x.shape[-1])
        return (x - shift) * torch.exp(-log_scale), log_scale

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        shift, log_scale = self.shift_and_log_scale(context, z.shape[-1])
        return shift + z * torch.exp(log_scale), log_scale
