import numpy as np
import pytest

from wavegen.audio.resampling import resample
from wavegen.errors import UserError
from wavegen.linguistics.alignment import align_by_dtw
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation

TEXT = "Nobody expected the small red balloon to fly so far over the mountain."


def noisy(waveform: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1e-4, len(waveform))
    return (waveform + noise).astype(np.float32)


def assert_contiguous(phones: list[TimedPhone], duration_s: float) -> None:
    assert phones[0].start_s == 0 and phones[-1].end_s == pytest.approx(duration_s)
    for before, after in zip(phones, phones[1:], strict=False):
        assert before.end_s == after.start_s
    assert min(p.duration_s for p in phones) >= 0.0099


def start_errors_s(found: list[TimedPhone], wanted: list[TimedPhone]) -> np.ndarray:
    found = [p for p in found if not p.is_silence]
    wanted = [p for p in wanted if not p.is_silence]
    assert [p.phone for p in found] == [p.phone for p in wanted]
    return np.abs([f.start_s - w.start_s for f, w in zip(found, wanted, strict=True)])


@pytest.fixture(scope="module")
def spoken() -> Pronunciation:
    return EspeakFrontEnd().read(TEXT)


def test_another_voice_at_another_rate_is_followed(spoken):
    other = EspeakFrontEnd("en-us+f3", words_per_minute=130).read(TEXT)
    rate = 24000
    quiet = np.zeros(int(0.4 * rate), np.float32)
    recording = noisy(np.concatenate([quiet, resample(other.waveform, 22050, rate), quiet]))
    phones = align_by_dtw(spoken, recording, rate)
    assert_contiguous(phones, len(recording) / rate)
    errors_s = np.abs(start_errors_s(phones, other.phones) - 0.4)  # 0.4 s of silence in front
    assert np.median(errors_s) < 0.015
    assert np.quantile(errors_s, 0.9) < 0.05
    assert phones[0].is_silence and phones[0].end_s == pytest.approx(0.4, abs=0.05)
    assert phones[-1].is_silence


def test_a_pause_that_only_the_recording_makes_goes_between_its_words(spoken):
    word = next(p for p in spoken.phones if p.word == 5)  # before "balloon"
    at = round(word.start_s * 22050)
    gap = np.zeros(int(0.35 * 22050), np.float32)
    recording = noisy(np.concatenate([spoken.waveform[:at], gap, spoken.waveform[at:]]))
    phones = align_by_dtw(spoken, recording, 22050)
    assert_contiguous(phones, len(recording) / 22050)
    silences = [i for i, p in enumerate(phones) if p.is_silence]
    pauses = [i for i in silences if abs(phones[i].start_s - word.start_s) < 0.08]
    assert len(pauses) == 1
    assert phones[pauses[0]].duration_s == pytest.approx(0.35, abs=0.08)
    assert (phones[pauses[0] - 1].word, phones[pauses[0] + 1].word) == (4, 5)


def test_a_pause_that_the_recording_does_not_make_is_taken_out():
    voice = EspeakFrontEnd()
    with_pause = voice.read("the small red door, the tall green tree")
    without = voice.read("the small red door the tall green tree")
    assert any(p.is_silence for p in with_pause.phones[3:-3])
    phones = align_by_dtw(with_pause, noisy(without.waveform), 22050)
    assert not any(p.is_silence for p in phones[3:-3])
    assert np.median(start_errors_s(phones, without.phones)) < 0.02


def test_a_recording_too_short_for_its_phones_is_refused(spoken):
    with pytest.raises(UserError, match="too short for its"):
        align_by_dtw(spoken, np.ones(2000, np.float32), 16000)


@pytest.mark.parametrize("kind", ["noise", "click", "constant"])
def test_recordings_without_speech_still_give_ordered_phones(spoken, kind):
    rng = np.random.default_rng(0)
    recording = {
        "noise": rng.normal(0, 0.1, 40000),
        "click": np.eye(1, 40000, 20000)[0],
        "constant": np.full(40000, 0.3),
    }[kind].astype(np.float32)
    phones = align_by_dtw(spoken, recording, 16000)
    assert phones[0].start_s == 0 and phones[-1].end_s == pytest.approx(2.5)
    assert all(p.duration_s > 0 for p in phones)
