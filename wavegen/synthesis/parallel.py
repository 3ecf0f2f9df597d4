"""The parallel sampler: a student speaks all samples in one pass."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class ParallelSampler:
    """Synthesis by a student; the waveform comes unrounded and unclipped, as the writer of files wants it.

    Args:
        student: with ``noise(shape, generator)`` and ``rsample_with_conditionals(noise, context)``.
        temperature: scales the noise; 1 samples the model.
    """

    def __init__(self, student: nn.Module, *, temperature: float = 1.0) -> None:
        self.student, self.temperature = student, temperature

    @torch.inference_mode()
    def sample(
        self,
        context: Mapping[str, Tensor] | None,
        lengths: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Waveforms ``(batch, max(lengths))``, zero beyond each length.

        Causality keeps the padding out of the rest.
        """
        num_samples = int(lengths.max())
        noise = self.student.noise((len(lengths), num_samples), generator) * self.temperature
        waveform, _ = self.student.rsample_with_conditionals(noise, context)
        inside = torch.arange(num_samples, device=waveform.device) < lengths.to(waveform.device)[:, None]
        return waveform.masked_fill(~inside, 0.0)
