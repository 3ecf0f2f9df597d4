import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.audio.glottal import cycles_from_f0, cycles_from_pulses
from wavegen.audio.pitch import frame_centres_s


def test_a_constant_f0_counts_its_cycles():
    np.testing.assert_allclose(cycles_from_f0(np.full(200, 130.0)), 130.0 * frame_centres_s(200), rtol=1e-12)


def test_a_linear_f0_integrates_to_a_parabola():
    t = frame_centres_s(400)
    cycles = cycles_from_f0(100 + 50 * t)
    np.testing.assert_allclose(np.diff(cycles), np.diff(100 * t + 25 * t**2), rtol=1e-10)


def test_whole_numbers_at_pulses_that_fall_on_frame_centres():
    num_frames = 300
    t = frame_centres_s(num_frames)
    pulses_s = t[20:280:2]  # every 10 ms, exactly on centres
    cycles = cycles_from_pulses(pulses_s, np.full(num_frames, 100.0), np.ones(num_frames), num_frames)
    at_pulses = cycles[20:280:2]
    np.testing.assert_allclose(at_pulses, np.round(at_pulses), atol=1e-9)
    np.testing.assert_allclose(np.diff(at_pulses), 1.0, atol=1e-9)
    np.testing.assert_allclose(cycles[21:279:2] % 1, 0.5, atol=1e-9)  # linear between pulses


def test_unvoiced_stretches_are_bridged_by_the_integral():
    num_frames = 300
    t = frame_centres_s(num_frames)
    voiced = ((t < 0.5) | (t > 0.9)).astype(float)
    pulses_s = np.concatenate([np.arange(0.1, 0.5, 0.0101), np.arange(0.9, 1.4, 0.0099)])
    cycles = cycles_from_pulses(pulses_s, np.full(num_frames, 100.0), voiced, num_frames)
    gap = (t > 0.51) & (t < 0.89)
    rate_hz = np.diff(cycles[gap]) / 0.005
    np.testing.assert_allclose(rate_hz, rate_hz[0], rtol=1e-9)
    assert abs(rate_hz[0] - 100) < 3  # stretched so that the next pulse is met at a whole number
    assert np.all(np.diff(cycles) > 0)


def test_without_pulses_f0_is_integrated():
    f0 = np.full(50, 90.0)
    np.testing.assert_array_equal(cycles_from_pulses(np.zeros(0), f0, np.ones(50), 50), cycles_from_f0(f0))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 400),
    st.lists(st.integers(0, 20000), max_size=60),
    st.integers(0, 2**31),
)
def test_cycles_rise_and_pulses_are_whole_whatever_the_tracker_says(num_frames, pulses, seed):
    rng = np.random.default_rng(seed)
    f0 = np.exp(rng.uniform(np.log(60), np.log(400), num_frames))
    voiced = rng.integers(0, 2, num_frames).astype(float)
    pulses_s = np.unique([p * 1e-4 for p in pulses if p * 1e-4 < num_frames * 0.005])
    cycles = cycles_from_pulses(pulses_s, f0, voiced, num_frames)
    assert cycles.shape == (num_frames,)
    assert (np.diff(cycles) > 0).all()
    assert cycles[0] >= -1e-9
    t = frame_centres_s(num_frames)
    for i in range(len(t)):
        nearest = np.flatnonzero(np.abs(pulses_s - t[i]) < 1e-9)
        if len(nearest):
            assert abs(cycles[i] - round(cycles[i])) < 1e-6
