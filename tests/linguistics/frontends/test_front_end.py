import pickle

import pytest

from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.prosody.register import RegisterProsody
from wavegen.untrusted.parts import describe, restore

ESPEAK = EspeakFrontEnd("en-us+f3", words_per_minute=150)


def test_espeak_is_a_front_end_and_a_prosody_is_none():
    assert isinstance(ESPEAK, FrontEnd)
    assert not isinstance(RegisterProsody(), FrontEnd)


def test_a_front_end_goes_to_other_processes_and_into_voices():
    assert pickle.loads(pickle.dumps(ESPEAK)) == ESPEAK
    assert restore(describe(ESPEAK), FrontEnd, "x.json") == ESPEAK


def test_phones_are_without_gaps_from_the_start_to_the_end():
    spoken = ESPEAK.read("Two green trees.")
    assert spoken.phones[0].start_s == 0
    for before, after in zip(spoken.phones, spoken.phones[1:], strict=False):
        assert before.end_s == after.start_s and before.duration_s > 0
    assert spoken.phones[-1].end_s == pytest.approx(spoken.duration_s, abs=1e-3)
    assert len(spoken.waveform) == pytest.approx(spoken.duration_s * spoken.sample_rate, abs=1)


def test_what_cannot_be_pronounced_is_refused():
    with pytest.raises(UserError):
        ESPEAK.read("   ")
