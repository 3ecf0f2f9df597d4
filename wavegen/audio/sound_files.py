"""Reads untrusted sound files in blocks and within limits.

A header may contain any value, so memory is allocated for the samples that a file contains, not for the
number that its header states. Inputs that are not recordings (a pipe, a rate of 1 Hz, samples of 10³⁰) raise
an error before they are processed.
"""

import stat
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from wavegen.errors import UserError

LONGEST_S = 3600.0
"""Default limit of a file's duration: one hour, 630 MB of float32 at 44.1 kHz."""

_RATES_HZ = (4000, 768_000)  # telephones use 8,000, the fastest converters 768,000
_MAX_AMPLITUDE = (
    16.0  # 24 dB above full scale, more than any mix reaches; 2¹⁵ indicates a wrongly scaled file
)
_BLOCK_VALUES = 1 << 20  # over all channels: 4 MB
_UNKNOWN_FRAMES = 1 << 62  # libsndfile reports 2⁶³ − 1 if a FLAC stream does not state its length


def read_waveform(
    path: str | Path, *, content: bytes | None = None, longest_s: float = LONGEST_S
) -> tuple[np.ndarray, int]:
    """Reads an audio file (WAV, FLAC and other formats of libsndfile).

    Args:
        path: of a regular file.
        content: of the file, if it is in memory; ``path`` is then its name in messages.
        longest_s: longer files raise an error.

    Returns:
        the waveform, (channels, samples) float32, integer formats scaled to [−1, 1); the sample rate in Hz.

    Raises:
        UserError: if the file is missing, not regular, unreadable, truncated, too long, has an implausible
            sample rate, or contains infinity, NaN or values beyond ±16.
    """
    blocks, sample_rate, num_channels = _read(Path(path), longest_s, lambda block: block.T, content)
    waveform = np.concatenate([np.zeros((num_channels, 0), np.float32), *blocks], axis=1)
    return np.ascontiguousarray(waveform), sample_rate


def read_mixed_down(path: str | Path, *, longest_s: float = LONGEST_S) -> tuple[np.ndarray, int, int]:
    """As :func:`read_waveform`, averaged over channels; memory does not grow with their number.

    Returns:
        the waveform, (samples,) float32; the sample rate in Hz; the number of channels of the file.
    """
    blocks, sample_rate, num_channels = _read(
        Path(path), longest_s, lambda block: block.mean(axis=1, dtype=np.float64).astype(np.float32)
    )
    return np.concatenate([np.zeros(0, np.float32), *blocks]), sample_rate, num_channels


class _SequentialFile(soundfile.SoundFile):
    """A file that is read sequentially.

    For seekable files, soundfile seeks to the current position after every block. libsndfile then returns
    other samples for MP3, and fails for a FLAC stream of unknown length.
    """

    def seekable(self) -> bool:
        return False


def _read(
    path: Path, longest_s: float, take: Callable[[np.ndarray], np.ndarray], content: bytes | None = None
) -> tuple[list[np.ndarray], int, int]:
    """The result of ``take`` for each block (frames, channels); the sample rate; the number of channels."""
    if content is None:
        _check_regular(path)
    blocks, num_frames = [], 0
    try:
        with _opened(path, content) as opened, _SequentialFile(opened) as file:
            promised, sample_rate, num_channels = file.frames, file.samplerate, file.channels
            _check_rate(path, sample_rate)
            if promised < _UNKNOWN_FRAMES:
                _check_length(path, promised, sample_rate, longest_s)
            while len(block := file.read(_BLOCK_VALUES // num_channels, dtype="float32", always_2d=True)):
                num_frames += len(block)
                _check_length(path, num_frames, sample_rate, longest_s)
                _check_values(path, block)
                blocks.append(take(block))
            is_wav_cut_off = file.format in ("WAV", "WAVEX") and _wav_is_truncated(opened)
    except (RuntimeError, OSError) as error:  # LibsndfileError is a RuntimeError
        reason = str(error).rstrip(".").rsplit(": ", 1)[-1]
        raise UserError(f"the audio file {path} cannot be read or is truncated: {reason}") from error
    if num_frames < promised < _UNKNOWN_FRAMES or is_wav_cut_off:
        raise UserError(
            f"the audio file {path} is truncated: its header states more samples than it contains"
        )
    return blocks, sample_rate, num_channels


def _check_regular(path: Path) -> None:
    """Raises UserError unless ``path`` is a regular file: a pipe could block, and a device has no end."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise UserError(f"the audio file {path} does not exist") from error
    except OSError as error:  # the name is too long, or access to the folder is denied
        raise UserError(f"the audio file {path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise UserError(f"{path} is {what}, expected an audio file")


def _check_rate(path: Path, sample_rate: int) -> None:
    lowest, highest = _RATES_HZ
    if not lowest <= sample_rate <= highest:
        raise UserError(
            f"the audio file {path} has a sample rate of {sample_rate} Hz, expected {lowest} to {highest} Hz"
        )


def _check_length(path: Path, num_frames: int, sample_rate: int, longest_s: float) -> None:
    if num_frames > round(longest_s * sample_rate):
        raise UserError(
            f"the audio file {path} lasts {num_frames / sample_rate:.2f} s or more by its header, expected "
            f"{longest_s:g} s at most"
        )


def _check_values(path: Path, block: np.ndarray) -> None:
    if not np.isfinite(block).all():
        raise UserError(f"the audio file {path} contains infinity or NaN, expected finite samples")
    peak = float(np.abs(block).max())
    if peak > _MAX_AMPLITUDE:
        raise UserError(
            f"the audio file {path} contains samples of {peak:.3g}, expected values within [-1, 1] "
            f"(at most {_MAX_AMPLITUDE:g})"
        )


def _opened(path: Path, content: bytes | None) -> BinaryIO:
    return path.open("rb") if content is None else BytesIO(content)


def _wav_is_truncated(file: BinaryIO) -> bool:
    """Compares the header's ``data`` size with the file, because libsndfile does not report a short WAV."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"RIFF":
        return False
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            streamed = length in (0, 0xFFFFFFFF)  # written by a program that could not seek
            return not streamed and position + 8 + length > size
        position += 8 + length + length % 2
    return True
