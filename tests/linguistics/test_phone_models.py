import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.audio.pitch import FRAME_S
from wavegen.linguistics.phone_chain import NUM_STATES
from wavegen.linguistics.phone_models import PhoneModels, acoustic_observations
from wavegen.linguistics.phones import SILENCE, TimedPhone

SYMBOLS = ("a", "b", "c", "d")


def utterance(rng: np.random.Generator, num_words: int = 4, pause_frames: int = 20):
    """Phones on frame boundaries with a pause after the second word, and observations near their means."""
    means = {SILENCE: np.full(6, -4.0)} | {s: 3 * np.eye(6)[i] for i, s in enumerate(SYMBOLS)}
    words = [rng.choice(SYMBOLS, 3, replace=False) for _ in range(num_words)]
    names = [(SILENCE, -1)]
    for index, word in enumerate(words):
        names += [(str(symbol), index) for symbol in word]
        names += [(SILENCE, -1)] if index == 1 and pause_frames else []
    names.append((SILENCE, -1))
    phones, observations, start = [], [], 0
    for i, (name, word) in enumerate(names):
        frames = int(rng.integers(6, 30)) if name != SILENCE or i in (0, len(names) - 1) else pause_frames
        phones.append(TimedPhone(name, start * FRAME_S, (start + frames) * FRAME_S, 0, word, min(word, 0)))
        observations.append(means[name] + 0.3 * rng.standard_normal((frames, 6)))
        start += frames
    return np.concatenate(observations), phones


def disturbed(rng: np.random.Generator, phones: list[TimedPhone], by_s: float) -> list[TimedPhone]:
    """The same phones, with inner boundaries moved by up to ``by_s``, and without inner pauses."""
    kept = [p for i, p in enumerate(phones) if not p.is_silence or i in (0, len(phones) - 1)]
    bounds = np.array([p.start_s for p in kept[1:]])
    bounds = np.sort(np.clip(bounds + rng.uniform(-by_s, by_s, len(bounds)), 0.005, phones[-1].end_s - 0.005))
    edges = [0.0, *bounds, phones[-1].end_s]
    return [
        replace(p, start_s=float(s), end_s=float(e))
        for p, s, e in zip(kept, edges[:-1], edges[1:], strict=True)
    ]


def test_disturbed_times_and_lost_pauses_are_found_again():
    rng = np.random.default_rng(0)
    truth = [utterance(rng) for _ in range(60)]
    examples = [(observations, disturbed(rng, phones, 0.04)) for observations, phones in truth]
    models = PhoneModels.fit(examples)
    before, after = [], []
    for (observations, phones), (_, wrong) in zip(truth, examples, strict=True):
        found = models.align(observations, wrong)
        assert [p.phone for p in found] == [p.phone for p in phones]
        assert [(p.word, p.phrase) for p in found] == [(p.word, p.phrase) for p in phones]
        after += [abs(p.start_s - q.start_s) for p, q in zip(found, phones, strict=True)]
        speech = [p for p in phones if not p.is_silence]
        before += [abs(p.start_s - q.start_s) for p, q in zip(wrong[1:-1], speech, strict=True)]
    assert np.mean(before) > 0.015
    assert np.mean(after) < 0.0025  # half a frame


def test_pauses_under_fifty_milliseconds_belong_to_the_phone_before():
    rng = np.random.default_rng(1)
    truth = [utterance(rng, pause_frames=20) for _ in range(40)]
    models = PhoneModels.fit(truth)
    observations, phones = utterance(rng, pause_frames=9)
    found = models.align(observations, phones)
    assert sum(p.is_silence for p in found) == 2
    before_pause = next(i for i, p in enumerate(phones[1:], 1) if p.is_silence) - 1
    assert found[before_pause].end_s == pytest.approx(phones[before_pause + 1].end_s, abs=FRAME_S)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), num_frames=st.integers(30, 200), ends=st.booleans())
def test_times_are_contiguous_whatever_is_observed(seed, num_frames, ends):
    rng = np.random.default_rng(seed)
    models = PhoneModels.fit([utterance(rng) for _ in range(3)])
    phones = [
        TimedPhone(name, 0.0, 0.0, 0, i // 2, 0) for i, name in enumerate(["a", "unseen", "b", "c", "d"])
    ]
    if ends:
        phones = [TimedPhone(SILENCE, 0.0, 0.0), *phones, TimedPhone(SILENCE, 0.0, 0.0)]
    found = models.align(rng.standard_normal((num_frames, 6)), phones)
    assert found[0].start_s == 0.0
    assert found[-1].end_s == pytest.approx(num_frames * FRAME_S)
    assert all(p.end_s == pytest.approx(q.start_s) for p, q in itertools.pairwise(found))
    assert [p.phone for p in found if not p.is_silence] == ["a", "unseen", "b", "c", "d"]
    assert min(p.duration_s for p in found) > (NUM_STATES - 0.5) * FRAME_S


def test_too_few_frames_leave_the_phones_as_they_are():
    rng = np.random.default_rng(2)
    models = PhoneModels.fit([utterance(rng)])
    phones = [TimedPhone("a", 0.0, 0.01, 0, 0, 0), TimedPhone("b", 0.01, 0.02, 0, 0, 0)]
    assert models.align(np.zeros((2 * NUM_STATES - 1, 6)), phones) == phones
    assert models.align(np.zeros((2 * NUM_STATES, 6)), phones)[-1].end_s == pytest.approx(0.03)


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_observations_are_normalised_and_finite(rate, level):
    num_frames = 100
    waveform = level * np.random.default_rng(4).standard_normal(rate // 2)
    observations = acoustic_observations(waveform, rate, num_frames)
    assert observations.shape == (num_frames, 39)
    assert np.isfinite(observations).all()
    np.testing.assert_allclose(observations.mean(0), 0, atol=1e-4)


def test_observations_are_centred_on_their_frames():
    waveform = np.zeros(16000)
    waveform[8000:] = np.random.default_rng(5).standard_normal(8000)
    cepstrum = acoustic_observations(waveform, 16000, 200)[:, 0]
    middle = np.flatnonzero(cepstrum > (cepstrum[80] + cepstrum[120]) / 2)[0]
    assert abs(middle - 100) <= 2
