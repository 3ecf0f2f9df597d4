import json
import math
from dataclasses import replace

import numpy as np
import pytest

from wavegen.audio.pitch import PitchTrack, PraatPitch
from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation
from wavegen.linguistics.prosody.prosody import Prosody
from wavegen.linguistics.prosody.register import RegisterProsody
from wavegen.untrusted.parts import describe, restore

REGISTER = RegisterProsody(PraatPitch(), 5.3, 0.2, 0.1, 4.6, 0.1, 0.08)
PHONES = [TimedPhone("k", 0.0, 0.1), TimedPhone("_", 0.1, 0.3), TimedPhone("a", 0.3, 0.6)]


def test_log_f0_is_shifted_and_scaled():
    np.testing.assert_allclose(REGISTER.map_log_f0(np.array([4.6, 4.7, 4.4])), [5.3, 5.5, 4.9])
    assert REGISTER.duration_ratio == pytest.approx(1.25)


def test_without_the_spoken_values_it_is_the_identity():
    register = RegisterProsody(PraatPitch(), 5.3, 0.2)
    np.testing.assert_array_equal(register.map_log_f0(np.array([4.0, 5.0])), [4.0, 5.0])
    assert register.duration_ratio == 1


def test_it_is_described_as_what_makes_it_again():
    described = json.loads(json.dumps(describe(REGISTER)))
    assert restore(described, Prosody, "x.json") == REGISTER


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_f0_mean": "high"}, "log_f0_mean is 'high', expected a number or null"),
        ({"log_f0_mean": math.inf}, "log_f0_mean is inf, expected a number or null"),
        ({"more": 1}, "'more'"),
        ({"pitch": None}, "pitch is None"),
        ({"pitch": {"_target_": "wavegen.audio.pitch.PraatPitch", "min_hz": 500.0}}, "1 <= min_hz < max_hz"),
        ({"_target_": "wavegen.linguistics.phone_layout.PhoneLayout"}, "which .* does not take"),
    ],
)
def test_malformed_descriptions_are_refused(change, message):
    with pytest.raises(UserError, match=f"^x.json.*{message}"):
        restore({**describe(REGISTER), **change}, Prosody, "x.json")


def contours(f0_hz, voiced):
    return Contours(PitchTrack(f0_hz, voiced), np.full(len(f0_hz), -20.0))


def summary(prosody, log_f0, scale, spoken=None):
    """Of one voiced utterance: phones of 100 ms and 300 ms, times ``scale``."""
    phones = [replace(p, start_s=scale * p.start_s, end_s=scale * p.end_s) for p in PHONES]
    values = np.asarray(log_f0, np.float64)
    return prosody.summarise(phones, contours(np.exp(values), np.ones(len(values))), spoken)


def test_fitting_takes_mean_and_deviation_over_all_voiced_frames():
    prosody = RegisterProsody()
    fitted = prosody.fit([summary(prosody, [4.0, 5.0, 6.0], 1.0), summary(prosody, [5.0], 2.0)])
    assert fitted.log_f0_mean == pytest.approx(5.0, abs=1e-6)
    assert fitted.log_f0_std == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert fitted.phone_duration_s == pytest.approx((0.2 + 0.4) / 2)
    assert fitted.spoken_phone_duration_s == fitted.phone_duration_s, "the front end is the voice"
    assert fitted.duration_ratio == 1.0


def test_an_unvoiced_corpus_gets_a_common_register():
    prosody = RegisterProsody()
    silent = prosody.summarise(PHONES, contours(np.full(4, 100.0), np.zeros(4)), None)
    assert prosody.fit([silent]).log_f0_mean == pytest.approx(np.log(120))


def test_a_front_end_without_sound_is_refused():
    with pytest.raises(UserError, match="needs a front end that produces sound"):
        RegisterProsody().plan(Pronunciation(PHONES, 0.6))


@pytest.mark.parametrize(("ratio", "num_frames"), [(1.0, 28), (1.0, 56), (1.1, 20), (1.1, 80)])
def test_a_plan_has_no_frame_more_than_its_duration(ratio, num_frames):
    """Divided by 5 ms, these durations are a little more than their whole number of frames."""
    register = replace(RegisterProsody(), phone_duration_s=ratio, spoken_phone_duration_s=1.0)
    duration_s = num_frames * 80 / 16000
    silence = np.zeros(num_frames * 80, np.float32)
    spoken = Pronunciation([TimedPhone("a", 0.0, duration_s)], duration_s, silence, 16000)
    assert register.plan(spoken).num_frames == round(num_frames * ratio)
