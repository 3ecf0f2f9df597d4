import dataclasses

import numpy as np
import pytest

from wavegen.errors import UserError
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation

PHONES = [TimedPhone("a", 0.0, 0.5)]


def test_a_front_end_that_speaks_has_sound():
    sound = np.zeros(4000, np.float32)
    waveform, sample_rate = Pronunciation(PHONES, 0.5, sound, 8000).require_sound("a corpus")
    assert waveform is sound and sample_rate == 8000


def test_one_that_only_writes_is_refused_with_the_purpose():
    with pytest.raises(UserError, match="^a corpus of sentences needs a front end that produces sound"):
        Pronunciation(PHONES, 0.5).require_sound("a corpus of sentences")


def test_a_pronunciation_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Pronunciation(PHONES, 0.5).duration_s = 1.0
