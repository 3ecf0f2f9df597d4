"""The loops of a source-filter voice against their definitions."""

import numpy as np
import pytest

from wavegen.engines.source_filter.kernel import filter_noise, sum_harmonics
from wavegen.engines.source_filter.tables import Tables


@pytest.mark.parametrize("hop_samples", [4, 5, 80])
def test_harmonics_are_cosines_whose_amplitudes_and_cycles_are_linear_between_frame_centres(hop_samples):
    rng = np.random.default_rng(0)
    frames, harmonics = 6, 400
    amplitudes = rng.standard_normal((frames + 2, harmonics)).astype(np.float32)
    amplitudes[3, 200:], amplitudes[4, 100:], amplitudes[5:] = 0, 0, 0  # the last sums are of nothing
    cycles = 1000 + rng.random(frames + 2).cumsum()
    sums = np.zeros(frames * hop_samples, np.float32)
    sum_harmonics(amplitudes, cycles, hop_samples, np.zeros((5, hop_samples)), sums)
    centres = np.arange(frames + 2) + 0.5
    places = 1 + (np.arange(frames * hop_samples) + 0.5) / hop_samples
    phase = np.interp(places, centres, cycles)
    expected = np.zeros(len(places))
    for k in range(harmonics):
        here = np.interp(places, centres, amplitudes[:, k])
        expected += here * np.cos(2 * np.pi * (k + 1) * (phase % 1))
    np.testing.assert_allclose(sums, expected, rtol=1e-6, atol=1e-6)
    assert expected[: 2 * hop_samples].std() > 3 and not sums[-hop_samples:].any()


def test_filtered_noise_solves_both_difference_equations():
    rng = np.random.default_rng(1)
    hop, frames, order, noise_order = 5, 4, 3, 2
    time = hop * frames

    def drawn(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    tables = Tables(
        taps=0.3 * drawn(2, frames, order),
        noise_taps=0.3 * drawn(2, frames, noise_order),
        harmonics=drawn(2, time),
        noise_gain=drawn(2, time),
        gain=drawn(2, time),
    )
    noise, row = drawn(time), 1
    noise_past = np.concatenate([rng.standard_normal(noise_order), np.zeros(time)])
    past = np.concatenate([rng.standard_normal(order), np.zeros(time)])
    waveform = np.zeros(time, np.float32)
    for begin, end in ((0, 1), (1, 12), (12, time)):
        here = slice(begin, end)
        filter_noise(tables, row, hop, begin, noise[here], noise_past, past, waveform[here])
    taps, noise_taps, harmonics, noise_gain, gain = (table[row].astype(np.float64) for table in tables)
    for t in range(time):
        frame = t // hop
        coloured = noise_past[noise_order + t] - noise_taps[frame] @ noise_past[t : t + noise_order]
        assert coloured == pytest.approx(noise_gain[t] * noise[t], rel=1e-9, abs=1e-12)
        excitation = past[order + t] - taps[frame] @ past[t : t + order]
        mixed = harmonics[t] + noise_past[noise_order + t]
        assert excitation == pytest.approx(gain[t] * mixed, rel=1e-9, abs=1e-12)
    np.testing.assert_array_equal(waveform, past[order:].astype(np.float32))
