"""Phone timings of a recording, by dynamic time warping from synthetic speech of the same text."""

from collections.abc import Sequence
from dataclasses import replace

import librosa
import numpy as np
import torch

from wavegen.audio.resampling import resample
from wavegen.audio.spectra import mel_spectrogram
from wavegen.errors import UserError
from wavegen.linguistics.phones import TimedPhone, lengthen_short_phones, merge_silences
from wavegen.linguistics.pronunciation import Pronunciation

_RATE = 16000
_HOP_S = 0.005
_MAX_FRAMES = (
    4000  # per side: limits the cost matrix to 128 MB; longer utterances are aligned on coarser frames
)
_TRIM_DB = 40.0  # below the loud frames: silence at the ends
_PAUSE_DB = 32.0  # below the loud frames: a pause within the utterance, if long enough
_MIN_PAUSE_S = 0.10
_MIN_PHONE_S = 0.010
_BAND = 0.2  # half width of the Sakoe–Chiba band, relative to the length


def align_by_dtw(spoken: Pronunciation, recording: np.ndarray, sample_rate: int) -> list[TimedPhone]:
    """The phones of ``spoken`` with the times at which they occur in ``recording`` (samples,).

    Dynamic time warping (Sakoe & Chiba 1978) within a band, on mel cepstra and their slopes, each normalised
    over its utterance so that the two voices are comparable. Silence is first removed from both ends. After
    the alignment, a pause that occurs only in the recording is inserted between the two words around it, and
    a pause that occurs only in the synthetic speech is removed.

    Returns:
        phones, contiguous from 0 s to the end of the recording. None is shorter than 10 ms if the recording
        is long enough.

    Raises:
        UserError: the recording is too short for its phones; the front end produces no sound.
    """
    waveform, waveform_rate = spoken.require_sound("alignment by dynamic time warping")
    duration_s = len(recording) / sample_rate
    speech = [p for p in spoken.phones if not p.is_silence]
    if duration_s < _MIN_PHONE_S * (len(speech) + 2):
        raise UserError(f"the recording of {duration_s:.2f} s is too short for its {len(speech)} phones")
    recorded = resample(np.asarray(recording, np.float32), sample_rate, _RATE)
    rendered = resample(waveform, waveform_rate, _RATE)

    longest_s = max(len(recorded), len(rendered)) / _RATE
    hop = round(_RATE * _HOP_S * max(1, int(np.ceil(longest_s / _HOP_S / _MAX_FRAMES))))
    hop_s = hop / _RATE
    recorded_db, rendered_db = _levels_db(recorded, hop), _levels_db(rendered, hop)
    first, last = _loud_span(recorded_db, _TRIM_DB)
    start = int(speech[0].start_s / hop_s)
    stop = min(max(start + 1, int(np.ceil(speech[-1].end_s / hop_s))), len(rendered_db))

    path = _warp(_cepstra(rendered, hop)[:, start:stop], _cepstra(recorded, hop)[:, first:last])
    # One recorded time per synthetic frame: the mean of the frames matched to it.
    there = np.array([path[path[:, 0] == i, 1].mean() for i in range(stop - start)])
    there_s = np.maximum.accumulate((first + there) * hop_s)
    here_s = (start + np.arange(stop - start)) * hop_s

    inner = [p for p in spoken.phones if p.end_s > speech[0].start_s and p.start_s < speech[-1].end_s]
    edges_s = np.interp([p.start_s for p in inner], here_s, there_s)
    start_s, end_s = _edge_s(first, hop_s, duration_s), _edge_s(last, hop_s, duration_s)
    edges_s = np.clip(edges_s, start_s, end_s)
    edges_s[0] = start_s
    ends_s = [*edges_s[1:], end_s]
    phones = [
        replace(p, start_s=float(s), end_s=float(e)) for p, s, e in zip(inner, edges_s, ends_s, strict=True)
    ]

    threshold_db = _loudness_db(recorded_db) - _PAUSE_DB
    phones = _drop_unspoken_pauses(phones, recorded_db, hop_s, threshold_db)
    for begin, end in _runs(recorded_db[first:last] < threshold_db):
        if (end - begin) * hop_s >= _MIN_PAUSE_S:
            at_s = (_edge_s(first + edge, hop_s, duration_s) for edge in (begin, end))
            phones = _insert_pause(phones, *at_s)

    phones = [TimedPhone("_", 0.0, phones[0].start_s), *phones, TimedPhone("_", phones[-1].end_s, duration_s)]
    phones = merge_silences([p for p in phones if not (p.is_silence and p.duration_s < 1e-6)])
    return lengthen_short_phones(phones, _MIN_PHONE_S)


def _edge_s(frame: int, hop_s: float, duration_s: float) -> float:
    """The start time of a frame; librosa centres frame n on sample n · hop."""
    return float(np.clip((frame - 0.5) * hop_s, 0.0, duration_s)) if frame else 0.0


def _levels_db(waveform: np.ndarray, hop: int) -> np.ndarray:
    """Level of each frame, over 25 ms."""
    rms = librosa.feature.rms(y=waveform, frame_length=400, hop_length=hop, center=True)[0]
    return 20 * np.log10(np.maximum(rms, 1e-6))


def _loudness_db(levels_db: np.ndarray) -> float:
    return float(np.percentile(levels_db, 95))


def _loud_span(levels_db: np.ndarray, range_db: float) -> tuple[int, int]:
    """First frame, and one past the last frame, that is loud and has loud neighbours (not a single click)."""
    loud = levels_db > _loudness_db(levels_db) - range_db
    sustained = [run for run in _runs(loud) if run[1] - run[0] >= 4] or _runs(loud) or [(0, len(levels_db))]
    return sustained[0][0], sustained[-1][1]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Start, and one past the end, of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _cepstra(waveform: np.ndarray, hop: int) -> np.ndarray:
    """Mel cepstra 0–12 and their slopes (26, frames), each normalised over the utterance."""
    analysis = {"fft_size": 512, "hop_samples": hop, "window_samples": 400, "num_mels": 40}
    mel = mel_spectrogram(torch.as_tensor(waveform), _RATE, **analysis).numpy()
    # The floor is relative to the utterance, so that background noise does not shape the spectrum.
    log_mel = librosa.amplitude_to_db(mel, ref=np.max, amin=1e-5, top_db=55.0)
    cepstra = librosa.feature.mfcc(S=log_mel, n_mfcc=13)
    slopes = librosa.feature.delta(cepstra, width=9, mode="nearest")
    stacked = np.concatenate([cepstra, slopes])
    scale = np.maximum(stacked.std(axis=1, keepdims=True), 1e-3)
    return (stacked - stacked.mean(axis=1, keepdims=True)) / scale


def _warp(rendered: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """Warping path (steps, 2) of frame pairs, from the first pair to the last.

    A diagonal step costs 1.4 and a step along one side 1, so a diagonal step is cheaper than the two single
    steps that replace it.
    """
    _, path = librosa.sequence.dtw(
        X=rendered,
        Y=recorded,
        metric="euclidean",
        step_sizes_sigma=np.array([[1, 1], [0, 1], [1, 0]]),
        weights_mul=np.array([1.4, 1.0, 1.0]),
        global_constraints=min(rendered.shape[1], recorded.shape[1]) > 50,
        band_rad=_BAND,
    )
    return path[::-1]


def _drop_unspoken_pauses(
    phones: Sequence[TimedPhone], levels_db: np.ndarray, hop_s: float, threshold_db: float
) -> list[TimedPhone]:
    """Removes inner silences during which the recording sounds; their neighbours meet in the middle."""
    kept: list[TimedPhone] = []
    pending_start_s = None
    for phone in phones:
        if phone.is_silence and kept:
            span = levels_db[
                int(phone.start_s / hop_s) : max(int(phone.start_s / hop_s) + 1, int(phone.end_s / hop_s))
            ]
            if phone.duration_s < 0.03 or np.median(span) > threshold_db:
                middle_s = (phone.start_s + phone.end_s) / 2
                kept[-1] = replace(kept[-1], end_s=middle_s)
                pending_start_s = middle_s
                continue
        if pending_start_s is not None:
            phone, pending_start_s = replace(phone, start_s=pending_start_s), None
        kept.append(phone)
    return kept


def _insert_pause(phones: list[TimedPhone], start_s: float, end_s: float) -> list[TimedPhone]:
    """Inserts a silence ``start_s … end_s`` at the word boundary nearest to its middle."""
    middle_s = (start_s + end_s) / 2
    boundaries = [
        i
        for i in range(1, len(phones))
        if phones[i].word != phones[i - 1].word or phones[i].is_silence or phones[i - 1].is_silence
    ]
    if not boundaries:
        return phones
    at = min(boundaries, key=lambda i: abs(phones[i].start_s - middle_s))
    tolerance_s = 0.15
    if not start_s - tolerance_s <= phones[at].start_s <= end_s + tolerance_s:
        return phones  # a long stop closure within a word, or an alignment that is too wrong to be corrected
    before = [replace(p, start_s=min(p.start_s, start_s), end_s=min(p.end_s, start_s)) for p in phones[:at]]
    after = [replace(p, start_s=max(p.start_s, end_s), end_s=max(p.end_s, end_s)) for p in phones[at:]]
    if before:
        before[-1] = replace(before[-1], end_s=start_s)
    if after:
        after[0] = replace(after[0], start_s=end_s)
    return [*before, TimedPhone("_", start_s, end_s), *after]
