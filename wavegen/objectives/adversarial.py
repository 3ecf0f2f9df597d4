"""An adversarial term: critics that tell the sample's short-time spectra from the recording's."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import scored_part
from wavegen.objectives.short_time import CorpusSpectra

LOG_FLOOR = 1e-3
"""Added to a magnitude, in units of the corpus, before its logarithm."""


class AdversarialLoss(nn.Module):
    r"""Least-squares GAN (Mao et al. 2017, arXiv 1611.04076) with a critic of spectra at each resolution.

    .. math:: L_{critic} &= E (D(x) - 1)^2 + E D(\hat x)^2 \\
              L &= E (D(\hat x) - 1)^2

    :math:`D` is a map of scores over time and frequency at each of M resolutions, as in UnivNet (Jang et al.
    2021, arXiv 2106.07889), and expectations are means over it. Critics that cannot tell anything answer ½
    everywhere: :math:`L_{critic}` is then ½ and :math:`L` is ¼. It goes beyond Parallel WaveNet; ParaNet and
    later vocoders (1904.04472, 1910.11480) report that distilled students gain by it.

    A critic hears the logarithms of magnitudes, so no phase. It is trained beside the student: see
    :class:`~wavegen.objectives.distillation.LossWithCritic`. The term should start after the divergence has
    made speech (``start_share``): critics of noise only learn that it is noise.

    Args:
        resolutions_ms: pairs ``(window, hop)`` in milliseconds. The transform size is the next power of two
            above the window.
        sample_rate: of the waveforms, Hz.
        channels: of a critic's layers.
        optimizer: builds the optimiser of the critics from parameters.

    Raises:
        UserError: if a window or hop is shorter than a sample.
    """

    def __init__(
        self,
        *,
        resolutions_ms: Sequence[tuple[float, float]],
        sample_rate: int,
        channels: int = 16,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
    ) -> None:
        super().__init__()
        self.spectra = CorpusSpectra(resolutions_ms=resolutions_ms, sample_rate=sample_rate)
        self.critic = nn.ModuleList(spectral_critic(channels) for _ in self.spectra.sizes)
        self.optimizer = optimizer

    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes the level of these recordings, ``(samples,)`` each, in which critics hear magnitudes."""
        self.spectra.fit_to_data(recordings)

    def forward(self, step: DistillationStep) -> Term:
        """How far the critics are from taking the sample for a recording."""
        scores = self.scores(scored_part(step.sample, step.mask))
        return Term(torch.stack([(score - 1).square().mean() for score in scores]).mean())

    def critic_loss(self, step: DistillationStep) -> Tensor:
        """How far the critics are from answering 1 for the recording and 0 for the sample."""
        real = self.scores(scored_part(step.recording, step.mask))
        generated = self.scores(scored_part(step.sample, step.mask))
        terms = [
            (one - 1).square().mean() + other.square().mean()
            for one, other in zip(real, generated, strict=True)
        ]
        return torch.stack(terms).mean()

    def scores(self, waveform: Tensor) -> list[Tensor]:
        """The critics' scores of ``(batch, time)``, in float32: ``(batch, 1, bands, frames)`` each.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        return [
            critic((magnitude / unit + LOG_FLOOR).log().unsqueeze(1)).float()
            for critic, (unit, magnitude) in zip(self.critic, self.spectra(waveform), strict=True)
        ]


def spectral_critic(channels: int) -> nn.Sequential:
    """Five convolutions over ``(batch, 1, bins, frames)``, three of which shorten the frequency axis."""
    layers: list[nn.Module] = []
    for inputs, stride in ((1, 4), (channels, 2), (channels, 2)):
        layers += [nn.Conv2d(inputs, channels, (9, 3), (stride, 1), (4, 1)), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))
