import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.metric import Metric, Spoken


def test_the_reference_comes_first_and_its_voicing_counts():
    """A vowel that the system swallowed is judged where the recording has it."""
    waveform, reference = torch.zeros(120), torch.ones(120)
    own = PitchTrack(np.array([100.0, 110.0, 120.0]), np.array([0.0, 0.0, 0.0]))
    true = PitchTrack(np.array([90.0, 95.0, 99.0]), np.array([1.0, 0.0, 1.0]))
    spoken = Spoken(waveform, reference, 8000, own, true)
    assert spoken.signals[0] is reference and spoken.signals[1] is waveform and spoken.signals[2] == 8000
    assert spoken.voiced.tolist() == [True, False, True]
    assert spoken.f0[0].tolist() == [100, 110, 120] and spoken.reference_f0[0].tolist() == [90, 95, 99]
    assert spoken.f0[1].sum() == 0 and spoken.reference_f0[1].sum() == 2


def test_an_utterance_counts_by_what_a_metric_is_a_mean_over():
    track = PitchTrack(np.full(40, 100.0), np.repeat([1.0, 0.0], [15, 25]))
    phones = [TimedPhone("h", 0.0, 0.05, word=0), TimedPhone("aɪɚ", 0.05, 0.1, word=0)]
    phones.append(TimedPhone("_", 0.1, 0.2))
    spoken = Spoken(torch.zeros(1600), torch.zeros(1600), 8000, track, track, phones)
    assert spoken.arpabet == ("HH", "AY", "ER")
    counts = {over: spoken.count(over) for over in ("all", "voiced", "pauses", "phones", "utterances")}
    assert counts == {"all": 40, "voiced": 15, "pauses": 15, "phones": 3, "utterances": 1}


@pytest.mark.parametrize(("chosen", "share"), [(0, 1.0), (3, 0.0), (None, 0.0)])
def test_the_first_sentence_is_the_right_one(chosen, share):
    track = PitchTrack(np.full(2, 100.0), np.zeros(2))
    spoken = Spoken(torch.zeros(80), torch.zeros(80), 8000, track, track, choice=lambda *_: chosen)
    assert spoken.is_right_choice == share


def test_a_metric_is_available_with_its_package():
    def make(package):
        return Metric("x", title="X", unit="dB", better="lower", explanation="X.", package=package)

    assert make(None).is_available and make("torch").is_available
    assert not make("no_such_package_anywhere").is_available
