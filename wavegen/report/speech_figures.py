"""Draws the figures of the speech report as PNG files: spectrograms, pitch contours, bars with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from wavegen.audio.pitch import FRAME_S, PitchTrack, frame_centres_s
from wavegen.audio.spectra import stft_magnitude
from wavegen.metrics.distortion_registry import DISTORTION
from wavegen.report.page import known_values
from wavegen.report.plots import STYLE, bare, save
from wavegen.report.systems import BESIDE_TEACHER, SYSTEM_COLOURS, SYSTEM_TITLES

RANGE_DB = 80.0
NUM_COLUMNS = 3  # of the overview


def spectrogram_figure(waveform: Tensor, sample_rate: int, *, peak: float, path: Path) -> None:
    """Level in dB relative to ``peak``, the recording's loudest bin, over time and frequency."""
    figure = Figure(figsize=(3.5, 2.1), layout="constrained")
    axes = figure.add_subplot()
    _draw_spectrogram(axes, waveform, sample_rate, peak)
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel("kHz", fontsize=8)
    axes.locator_params(nbins=6)
    axes.tick_params(**STYLE)
    save(figure, path)


def overview_figure(spoken: Mapping[str, Sequence[Tensor]], sample_rate: int, path: Path) -> None:
    """Spectrograms of up to three utterances (columns) by the recording and all models (rows).

    The recording is the first system; every column has its scale. A system may have fewer utterances, or
    shorter ones, which leaves the rest of its row empty.
    """
    recordings = next(iter(spoken.values()))[:NUM_COLUMNS]
    figure = Figure(figsize=(3.4 * len(recordings), 1.5 * len(spoken) + 0.4), layout="constrained")
    grid = figure.subplots(len(spoken), len(recordings), squeeze=False, sharex="col", sharey=True)
    for row, (name, waveforms) in zip(grid, spoken.items(), strict=True):
        for column, (axes, recording) in enumerate(zip(row, recordings, strict=True)):
            axes.set_xlim(0, recording.shape[-1] / sample_rate)
            axes.set_ylim(0, sample_rate / 2000)
            axes.tick_params(**STYLE)
            if column < len(waveforms):
                _draw_spectrogram(
                    axes, waveforms[column], sample_rate, spectrogram_peak(recording, sample_rate)
                )
        row[0].set_ylabel(f"{SYSTEM_TITLES.get(name, name)}\nkHz", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("seconds", fontsize=8)
    save(figure, path)


def spectrogram_peak(waveform: Tensor, sample_rate: int) -> float:
    """The loudest bin of ``spectrogram_figure``'s analysis; 1e-5 for silence."""
    return max(float(_magnitude(waveform, sample_rate).max()), 1e-5)


def _draw_spectrogram(axes: Axes, waveform: Tensor, sample_rate: int, peak: float) -> None:
    level_db = 20 * np.log10(np.maximum(_magnitude(waveform, sample_rate).numpy() / peak, 1e-6))
    extent = (0, waveform.shape[-1] / sample_rate, 0, sample_rate / 2000)
    axes.imshow(level_db, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-RANGE_DB, vmax=0)


def _magnitude(waveform: Tensor, sample_rate: int) -> Tensor:
    window_samples = round(0.025 * sample_rate)
    return stft_magnitude(
        waveform,
        fft_size=1 << (2 * window_samples - 1).bit_length(),
        hop_samples=sample_rate // 200,
        window_samples=window_samples,
    )


def pitch_figure(tracks: Mapping[str, PitchTrack], path: Path) -> None:
    """F0 of every system over time, with gaps in unvoiced frames; the recording's as a broad band."""
    figure = Figure(figsize=(9.2, 2.4), layout="constrained")
    axes = figure.add_subplot()
    for name, track in tracks.items():
        f0_hz = np.where(np.asarray(track.voiced) > 0.5, track.f0_hz, np.nan)
        broad = name == "recording"
        axes.plot(
            frame_centres_s(len(f0_hz)),
            f0_hz,
            color="#b9bec7" if broad else SYSTEM_COLOURS.get(name),
            linewidth=6 if broad else 1.4,
            solid_capstyle="round",
            label=SYSTEM_TITLES.get(name, name),
        )
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel("F0 / Hz", fontsize=8)
    axes.tick_params(**STYLE)
    axes.set_xlim(0, max(len(track.f0_hz) for track in tracks.values()) * FRAME_S)
    axes.legend(fontsize=8, frameon=False, ncols=len(tracks), loc="lower left", bbox_to_anchor=(0, 1))
    bare(axes)
    save(figure, path)


def metrics_figure(metrics: Mapping[str, float | None], systems: Sequence[str], path: Path) -> None:
    """Bars of the distances of every system that has them, with their 95 % intervals.

    ``systems`` are keys of the metrics, which may end in ``BESIDE_TEACHER``.
    """
    shown = [m for m in DISTORTION if m.better == "lower" and not m.key.endswith("_without_pauses")]
    figure = Figure(figsize=(9.2, 2.6), layout="constrained")
    for axes, metric in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
        factor = 100 if metric.percent else 1
        endings = ("", "_low", "_high")
        known = {s: known_values(metrics, *(f"{s}/{metric.key}{e}" for e in endings)) for s in systems}
        measured = {system: values for system, values in known.items() if values is not None}
        titles = [name.removesuffix(BESIDE_TEACHER) for name in measured]
        for position, (system, values) in enumerate(zip(titles, measured.values(), strict=True)):
            value, low, high = (factor * number for number in values)
            error = [[max(value - low, 0)], [max(high - value, 0)]]
            axes.bar(
                position,
                value,
                color=SYSTEM_COLOURS.get(system),
                width=0.7,
                yerr=error,
                ecolor="#30343b",
                capsize=3,
            )
        axes.set_xticks(
            range(len(measured)),
            [SYSTEM_TITLES.get(s, s).replace(" ", "\n").replace("-", "-\n") for s in titles],
            fontsize=7,
        )
        axes.set_title(f"{metric.title.partition(' (')[0]} / {metric.unit}", fontsize=8.5, loc="left")
        axes.tick_params(axis="y", **STYLE)
        axes.tick_params(axis="x", length=0)
        bare(axes)
    save(figure, path)
