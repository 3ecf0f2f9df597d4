"""Short-time spectra over any leading dimensions, differentiable: STFT magnitudes and mel spectrograms.

Magnitudes are divided by the sum of the window, |X[k]| = |Σ_n w[n] x[n] e^(−2πi k n / N)| / Σ_n w[n]. A sine
of amplitude a therefore gives a/2 at its bin for every window length, and resolutions are comparable.
"""

from functools import lru_cache

import torch
from torch import Tensor

from wavegen.audio.torchaudio_import import torchaudio_functional
from wavegen.errors import UserError

# Below this power the magnitude is constant. Elsewhere the gradient of |X| has norm 1, so the floor only has
# to avoid 0/0. It is at −200 dB, far below the 16-bit grid.
POWER_FLOOR = 1e-20


@lru_cache(maxsize=64)
def hann_window(window_samples: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Periodic Hann window, `(window_samples,)`."""
    return torch.hann_window(window_samples, dtype=dtype, device=device)


def stft(waveform: Tensor, *, fft_size: int, hop_samples: int, window_samples: int) -> Tensor:
    """Complex STFT with a Hann window, divided by the sum of the window.

    `waveform` is `(…, time)`; the result is `(…, fft_size // 2 + 1, 1 + time // hop_samples)`, with frame i
    centred on sample i · hop. The ends are padded with zeros, so any length above zero works.

    Raises UserError if the window is longer than the transform or the waveform is empty.
    """
    if not 0 < window_samples <= fft_size:
        raise UserError(f"stft: window_samples must be in 1…fft_size = {fft_size}, got {window_samples}.")
    if waveform.shape[-1] == 0:
        raise UserError(
            f"stft: the waveform must have at least one sample, got shape {tuple(waveform.shape)}."
        )
    if waveform.dtype not in (torch.float32, torch.float64):
        waveform = waveform.float()  # half precision does not cover the range of a power spectrum
    window = hann_window(window_samples, waveform.dtype, waveform.device)
    spectrum = torchaudio_functional().spectrogram(
        waveform,
        pad=0,
        window=window,
        n_fft=fft_size,
        hop_length=hop_samples,
        win_length=window_samples,
        power=None,
        normalized=False,
        center=True,
        pad_mode="constant",
    )
    return spectrum / window.sum()


def stft_magnitude(waveform: Tensor, *, fft_size: int, hop_samples: int, window_samples: int) -> Tensor:
    """|STFT|, `(…, time)` → `(…, bins, frames)`, with finite (zero) gradient in digital silence."""
    spectrum = stft(waveform, fft_size=fft_size, hop_samples=hop_samples, window_samples=window_samples)
    power = spectrum.real.square() + spectrum.imag.square()
    return power.clamp_min(POWER_FLOOR).sqrt()


@lru_cache(maxsize=16)
def mel_filterbank(sample_rate: int, *, fft_size: int, num_mels: int) -> Tensor:
    """Triangular filters on Slaney's mel scale, 0 Hz to Nyquist, peak 1: `(num_mels, fft_size // 2 + 1)`."""
    filters = torchaudio_functional().melscale_fbanks(
        fft_size // 2 + 1,
        f_min=0.0,
        f_max=sample_rate / 2,
        n_mels=num_mels,
        sample_rate=sample_rate,
        norm=None,
        mel_scale="slaney",
    )
    return filters.T.contiguous()


def mel_spectrogram(
    waveform: Tensor,
    sample_rate: int,
    *,
    fft_size: int,
    hop_samples: int,
    window_samples: int,
    num_mels: int = 80,
) -> Tensor:
    """Sums magnitudes within mel bands, linear in gain: `(…, time)` → `(…, num_mels, frames)`."""
    magnitude = stft_magnitude(
        waveform, fft_size=fft_size, hop_samples=hop_samples, window_samples=window_samples
    )
    filters = mel_filterbank(sample_rate, fft_size=fft_size, num_mels=num_mels)
    return filters.to(magnitude) @ magnitude
