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


RATE = 8000
SOUND = np.zeros(4000, np.float32)
TWO = [TimedPhone("a", 0.0, 0.2), TimedPhone("b", 0.2, 0.5)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phones": []}, "gave no phones, expected at least one"),
        (
            {"phones": [TimedPhone("a", 0.1, 0.5)]},
            r"phone 0 \(a\) starts at 0.1 s, expected 0 s, where",
        ),
        (
            {"phones": [TWO[0], TimedPhone("b", 0.25, 0.5)]},
            r"phone 1 \(b\) starts at 0.25 s, expected 0.2 s, where the one before it ends",
        ),
        ({"phones": [TimedPhone("a", 0.0, -0.5)]}, r"phone 0 \(a\) ends at -0.5 s, expected no earlier"),
        ({"phones": [TimedPhone("a", 0.0, float("nan"))]}, r"phone 0 \(a\) ends at nan s"),
        ({"phones": [TimedPhone("a", 0.0, 0.5, stress=3)]}, "has the stress 3, expected 0, 1 or 2"),
        ({"phones": TWO[:1]}, "phones end at 0.2 s, expected its duration_s=0.5"),
        ({"duration_s": 0.0}, "duration_s is 0.0, expected seconds above 0"),
        ({"duration_s": float("nan")}, "duration_s is nan, expected seconds above 0"),
        ({"waveform": None}, "gave no waveform, expected"),
        ({"sample_rate": None}, "gave no sample_rate, expected"),
        ({"sample_rate": 8000.5}, "sample_rate is 8000.5, expected a whole number of Hz"),
        ({"waveform": SOUND.astype(np.int16)}, "of the type int16, expected an array of float32"),
        ({"waveform": list(SOUND)}, "of the type list, expected an array of float32"),
        ({"waveform": np.stack([SOUND, SOUND], 1)}, r"has the shape \(4000, 2\), expected \(samples,\)"),
        ({"waveform": SOUND[:2000]}, "waveform lasts 0.25 s at 8000 Hz, expected its duration_s=0.5"),
        ({"waveform": SOUND + 32767}, "goes from 0 to 32767, expected -1 to 1"),
        ({"waveform": SOUND - 1.5}, "goes from -1.5 to 0, expected -1 to 1"),
        ({"waveform": SOUND + np.float32("nan")}, "goes from nan to nan, expected -1 to 1"),
    ],
)
def test_a_mistake_of_the_front_end_is_named(change, message):
    right = {"phones": TWO, "duration_s": 0.5, "waveform": SOUND, "sample_rate": RATE}
    with pytest.raises(UserError, match=f"^the front end.*{message}"):
        Pronunciation(**(right | change))


@pytest.mark.parametrize(
    "right",
    [
        {"phones": [TWO[0], TimedPhone("b", 0.2 + 5e-7, 0.5)]},
        {"phones": [TWO[0], TimedPhone("l", 0.2, 0.2), TimedPhone("b", 0.2, 0.496)]},
        {"waveform": SOUND[:-39]},
        {"waveform": np.ones(4000)},
    ],
)
def test_times_may_be_rounded_and_samples_may_reach_full_scale(right):
    """To the microsecond between phones, to a frame at the end; a phone may have no length."""
    given = {"phones": TWO, "duration_s": 0.5, "waveform": SOUND, "sample_rate": RATE} | right
    made = Pronunciation(**given)
    assert {name: getattr(made, name) is value for name, value in given.items()} == dict.fromkeys(given, True)


def test_a_final_pause_is_silence_of_its_own_or_longer():
    spoken = Pronunciation(TWO, 0.5, np.full(4000, 0.1, np.float32), RATE)
    longer = spoken.with_final_pause(0.25)
    assert [(p.phone, p.start_s, p.end_s) for p in longer.phones[2:]] == [("_", 0.5, 0.75)]
    assert longer.duration_s == 0.75 and len(longer.waveform) == 6000
    np.testing.assert_array_equal(longer.waveform[:4000], spoken.waveform)
    assert not longer.waveform[4000:].any()
    twice = longer.with_final_pause(0.25)  # one silence, not two
    assert [p.phone for p in twice.phones] == ["a", "b", "_"] and twice.phones[-1].end_s == 1.0
    assert spoken.with_final_pause(0.0) is spoken
    assert Pronunciation(TWO, 0.5).with_final_pause(0.25).waveform is None
