"""Who is compared with whom: never on different speech."""

import math
from types import SimpleNamespace

import pytest
import torch

from wavegen.errors import UserError
from wavegen.evaluation.speech.comparison import as_written, comparisons, speak


def utterances(*lengths):
    return [SimpleNamespace(waveform=torch.linspace(-0.5, 0.5, length)) for length in lengths]


class Echo:
    def __init__(self, name, gain=1.0):
        self.name, self.gain = name, gain

    def synthesize(self, utterances):
        return [self.gain * utterance.waveform for utterance in utterances]


SYSTEMS = [Echo("recording"), Echo("teacher", 0.5), Echo("student", 0.25), Echo("white_noise")]
MODELS = ["recording", "teacher", "student"]


def test_a_teacher_that_speaks_everything_is_compared_with_all():
    texts = utterances(80, 120)
    (everything,) = comparisons(speak(SYSTEMS, texts, texts), texts, texts, models=MODELS)
    assert list(everything.spoken) == ["recording", "teacher", "student", "white_noise"]
    assert everything.num_samples == 200


def test_a_teacher_that_speaks_less_is_compared_with_models_cut_to_its_speech():
    texts = utterances(80, 120)
    cut = [SimpleNamespace(waveform=texts[0].waveform[:40])]
    others, beside = comparisons(speak(SYSTEMS, texts, cut), texts, cut, models=MODELS)
    assert list(others.spoken) == ["recording", "student", "white_noise"] and others.num_samples == 200
    assert list(beside.spoken) == ["recording_beside_teacher", "teacher", "student_beside_teacher"]
    assert beside.num_samples == 40
    for waveforms, gain in zip(beside.spoken.values(), (1, 0.5, 0.25), strict=True):
        (waveform,) = waveforms
        torch.testing.assert_close(waveform, gain * cut[0].waveform, atol=2**-15, rtol=0)


def test_without_a_teacher_there_is_nothing_to_limit():
    texts = utterances(80, 120)
    spoken = speak([SYSTEMS[0], SYSTEMS[2]], texts, texts[:1])
    assert [len(c.utterances) for c in comparisons(spoken, texts, texts[:1], models=MODELS)] == [2]


def test_what_is_judged_is_what_a_file_can_hold():
    written = as_written(torch.tensor([1.7, -3.0, 0.1]), "student")
    assert written.tolist() == [1 - 2**-15, -1.0, round(0.1 * 32768) / 32768]
    with pytest.raises(UserError, match="student.*finite"):
        as_written(torch.tensor([0.0, math.nan]), "student")
