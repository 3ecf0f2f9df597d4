"""Writes waveforms as 16-bit files and streams, and rounds to the 16-bit grid."""

import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import soundfile
import torch

from wavegen.errors import UserError
from wavegen.files import atomic_path, write_bytes

GRID_STEP = 2.0**-15
"""Step of the 16-bit grid, whose points are −1, −1 + 2⁻¹⁵, …, 1 − 2⁻¹⁵."""

_FORMATS = {".wav": "WAV", ".flac": "FLAC", "": "WAV"}
_UNKNOWN_SIZE = 0xFFFFFFFF

_Array = TypeVar("_Array", np.ndarray, torch.Tensor)


def to_grid(x: _Array) -> _Array:
    """Rounds ``x`` (array or tensor, any shape) to the nearest multiple of 2⁻¹⁵. Does not clip."""
    return (x / GRID_STEP).round() * GRID_STEP


def write_waveform(path: str | Path, waveform: np.ndarray | torch.Tensor, sample_rate: int) -> None:
    """Writes ``waveform`` (samples,) as a 16-bit PCM WAV file, atomically.

    Raises:
        UserError: the waveform contains NaN or infinity; the path cannot be written to, or the disk is full.
        ValueError: ``waveform`` has more than one dimension.
    """
    pcm, encoded = to_pcm(waveform, f"{path} is not written"), io.BytesIO()
    soundfile.write(encoded, pcm, sample_rate, subtype="PCM_16", format="WAV")
    write_bytes(path, encoded.getvalue())


def sound_format(path: str | Path) -> str:
    """The format of a sound file to be written: ``FLAC`` for ``.flac``, ``WAV`` for ``.wav`` or no ending.

    Raises:
        UserError: for any other ending, whose format would not be that of the content.
    """
    ending = Path(path).suffix.lower()
    if ending not in _FORMATS:
        raise UserError(f"output={path}: expected a file that ends in .wav or .flac, got {ending}")
    return _FORMATS[ending]


def write_blocks(path: str | Path, blocks: Iterable[np.ndarray | torch.Tensor], sample_rate: int) -> None:
    """Writes blocks (samples,) of a waveform of any length as they arrive, 16-bit WAV or FLAC by the ending.

    The file is complete or not written at all; memory does not grow with the waveform.

    Raises:
        UserError: of :func:`sound_format`; a block contains NaN or infinity; the path cannot be written to;
            the waveform is longer than a WAV file allows, 4 GiB.
    """
    written, name = 0, sound_format(path)
    with atomic_path(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", sample_rate, 1, subtype="PCM_16", format=name) as file:
                for block in blocks:
                    pcm = to_pcm(block, f"{path} is not written")
                    written += len(pcm)
                    if name == "WAV":
                        _check_wav_size(written)
                    file.write(pcm)
        except soundfile.LibsndfileError as error:  # on closing, the last bytes may find the disk full
            raise UserError(f"cannot write {path}: {str(error).rstrip('.')}; is the disk full?") from error


def stream_waveform(
    file: BinaryIO, blocks: Iterable[np.ndarray | torch.Tensor], num_samples: int | None, sample_rate: int
) -> None:
    """Writes blocks (samples,) of a waveform of ``num_samples`` in total as they arrive: 16-bit PCM WAV.

    The bytes are those of :func:`write_waveform`. If the number is None, the header has the largest sizes, by
    which players recognise a stream of unknown length. ``file`` need not be seekable. It is flushed after the
    header and after each block, so that a player which reads it starts at once.

    Raises:
        UserError: a block contains NaN or infinity (the blocks before it have been written); the waveform is
            longer than a WAV file allows, 4 GiB.
        ValueError: the blocks have another number of samples in total.
    """
    written = 0
    if num_samples is None:
        file_size = data_size = _UNKNOWN_SIZE
    else:
        _check_wav_size(num_samples)
        file_size, data_size = 36 + 2 * num_samples, 2 * num_samples
    form = struct.pack("<4sI4s", b"RIFF", file_size, b"WAVE")
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)  # PCM, mono
    file.write(form + layout + struct.pack("<4sI", b"data", data_size))
    file.flush()
    for block in blocks:
        pcm = to_pcm(block, "the waveform's stream ends here")
        file.write(pcm.astype("<i2").tobytes())
        file.flush()
        written += len(pcm)
    if num_samples is not None and written != num_samples:
        raise ValueError(f"expected {num_samples} samples in total, got {written}")


def _check_wav_size(num_samples: int) -> None:
    if 2 * num_samples + 36 >= 1 << 32:
        raise UserError(
            f"a WAV file must be smaller than 4 GiB, got a waveform of {num_samples} samples: write .flac"
        )


def to_pcm(waveform: np.ndarray | torch.Tensor, refusal: str) -> np.ndarray:
    """``waveform`` (samples,) as int16: the nearest multiples of 2⁻¹⁵, ties to even.

    This is the only place where samples are clipped, to [−1, 1 − 2⁻¹⁵].

    Args:
        waveform: of any real type.
        refusal: the start of the error message for samples that are not finite; it says what is not done.

    Raises:
        UserError: the waveform contains NaN or infinity.
        ValueError: ``waveform`` has more than one dimension.
    """
    samples = np.asarray(torch.as_tensor(waveform).detach().cpu(), dtype=np.float64)
    if samples.ndim != 1:
        raise ValueError(f"expected a waveform of shape (samples,), got {samples.shape}")
    if not np.isfinite(samples).all():
        raise UserError(f"{refusal}: its waveform contains NaN or infinity, expected finite samples")
    return np.clip(np.rint(samples / GRID_STEP), -32768, 32767).astype(np.int16)
