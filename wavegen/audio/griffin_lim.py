"""Resynthesis without a model: the Griffin-Lim algorithm on the mel spectrogram of a recording.

Alternating projections estimate the phases that a mel spectrogram lacks. This copy-synthesis is the baseline
for any trained vocoder.

Griffin and Lim, "Signal estimation from modified short-time Fourier transform" (1984); with the momentum of
Perraudin, Balazs and Søndergaard, "A fast Griffin-Lim algorithm" (2013), both as implemented by librosa.
"""

import torch
from torch import Tensor

from wavegen.audio.spectra import mel_filterbank, mel_spectrogram
from wavegen.errors import UserError


def _analysis(sample_rate: int) -> dict[str, int]:
    """50 ms windows every 12.5 ms: 75 % overlap, which phase retrieval needs."""
    window_samples = sample_rate // 20
    return dict(
        fft_size=1 << (window_samples - 1).bit_length(),
        hop_samples=window_samples // 4,
        window_samples=window_samples,
    )


def griffin_lim(
    magnitude: Tensor,
    num_samples: int,
    *,
    fft_size: int,
    hop_samples: int,
    window_samples: int,
    num_iterations: int = 60,
    seed: int = 0,
) -> Tensor:
    """Waveform `(num_samples,)` whose STFT magnitude approximates `magnitude` `(bins, frames)`.

    `magnitude` is scaled as by `wavegen.audio.spectra.stft_magnitude`; `seed` sets the initial phases.
    Raises UserError if the number of bins is not `fft_size // 2 + 1`.
    """
    import librosa

    bins = fft_size // 2 + 1
    if magnitude.ndim != 2 or magnitude.shape[0] != bins:
        raise UserError(f"griffin_lim: magnitude must be ({bins}, frames), got {tuple(magnitude.shape)}.")
    window_sum = torch.hann_window(window_samples).sum()
    waveform = librosa.griffinlim(
        (magnitude * window_sum).double().cpu().numpy(),
        n_iter=num_iterations,
        hop_length=hop_samples,
        win_length=window_samples,
        n_fft=fft_size,
        length=num_samples,
        pad_mode="constant",
        random_state=seed,
    )
    return torch.from_numpy(waveform).to(magnitude.dtype)


def griffin_lim_from_mel(
    waveform: Tensor, sample_rate: int, *, num_mels: int = 80, num_iterations: int = 60, seed: int = 0
) -> Tensor:
    """Copy-synthesis of `waveform` `(time,)` from its mel spectrogram, with the same length and gain.

    Non-negative least squares map mel bands back to frequency bins.
    """
    import librosa

    analysis = _analysis(sample_rate)
    mel = mel_spectrogram(waveform, sample_rate, num_mels=num_mels, **analysis)
    filters = mel_filterbank(sample_rate, fft_size=analysis["fft_size"], num_mels=num_mels)
    magnitude = librosa.util.nnls(filters.double().numpy(), mel.double().cpu().numpy())
    return griffin_lim(
        torch.from_numpy(magnitude).to(waveform.dtype),
        waveform.shape[-1],
        num_iterations=num_iterations,
        seed=seed,
        **analysis,
    )
