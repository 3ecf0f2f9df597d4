"""Short-time magnitude spectra at several resolutions, in units of a corpus."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.audio.spectra import stft_magnitude
from wavegen.errors import UserError

SMALLEST_UNIT = 1e-5
"""The reference magnitude for a corpus of silence: a magnitude below the 16-bit grid."""


class CorpusSpectra(nn.Module):
    r"""Short-time magnitudes of waveforms at several resolutions, each with the corpus's level as its unit.

    The unit :math:`\bar S` of a resolution is the RMS magnitude of the recordings that it was fitted to.

    Args:
        resolutions_ms: pairs ``(window, hop)`` in milliseconds, because hearing does not depend on the
            sample rate. The transform size is the next power of two above the window.
        sample_rate: of the waveforms, Hz.

    Raises:
        UserError: if a window or hop is shorter than a sample.
    """

    def __init__(self, *, resolutions_ms: Sequence[tuple[float, float]], sample_rate: int) -> None:
        super().__init__()
        self.sizes = tuple(stft_size(*resolution, sample_rate) for resolution in resolutions_ms)
        # A property of the corpus, not of the model: computed at every start and not stored in checkpoints.
        self.register_buffer("units", torch.zeros(len(self.sizes)), persistent=False)

    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes the units of these recordings, ``(samples,)`` each."""
        for index, size in enumerate(self.sizes):
            total, count = 0.0, 0
            for recording in recordings:
                magnitude = stft_magnitude(torch.as_tensor(recording), **size).double()
                total, count = total + float(magnitude.square().sum()), count + magnitude.numel()
            self.units[index] = max((total / max(count, 1)) ** 0.5, SMALLEST_UNIT)

    def forward(self, *waveforms: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """For each resolution its unit and the magnitudes of each waveform, ``(…, bins, frames)``.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        if not self.units.all():
            raise UserError(
                "a spectral loss has no reference level, expected a call of fit_to_data(recordings)"
            )
        for unit, size in zip(self.units, self.sizes, strict=True):
            yield unit, *(stft_magnitude(waveform, **size) for waveform in waveforms)


def stft_size(window_ms: float, hop_ms: float, sample_rate: int) -> dict[str, int]:
    """Arguments of :func:`~wavegen.audio.spectra.stft` for a window and hop in milliseconds.

    Raises:
        UserError: if either is shorter than a sample.
    """
    window_samples, hop_samples = (round(ms * sample_rate / 1000) for ms in (window_ms, hop_ms))
    if min(window_samples, hop_samples) < 1:
        raise UserError(
            f"a resolution of {window_ms} ms windows every {hop_ms} ms is less than a sample at "
            f"{sample_rate} Hz, expected at least one"
        )
    fft_size = 2 ** window_samples.bit_length()
    return {"fft_size": fft_size, "hop_samples": hop_samples, "window_samples": window_samples}
