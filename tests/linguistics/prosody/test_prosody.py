import dataclasses
import json

import numpy as np
import pytest

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.prosody.prosody import Plan, Prosody
from wavegen.linguistics.prosody.register import RegisterProsody

PHONES = [TimedPhone("k", 0.0, 0.01), TimedPhone("a", 0.01, 0.02)]


def test_the_register_is_a_prosody_and_a_front_end_is_none():
    assert isinstance(RegisterProsody(), Prosody)
    assert not isinstance(EspeakFrontEnd(), Prosody)
    assert dataclasses.is_dataclass(RegisterProsody) and RegisterProsody.__dataclass_params__.frozen


def test_summaries_are_json_and_fitting_gives_the_same_kind():
    pitch = PitchTrack(np.full(4, 150.0), np.ones(4))
    summary = json.loads(json.dumps(RegisterProsody().summarise(PHONES, pitch, None)))
    fitted = RegisterProsody().fit([summary])
    assert type(fitted) is RegisterProsody
    assert fitted.log_f0_mean == pytest.approx(np.log(150))


def test_a_plan_covers_its_phones_with_frames_of_pitch():
    spoken = EspeakFrontEnd().read("Good day.")
    plan = RegisterProsody().plan(spoken)
    assert isinstance(plan, Plan)
    assert len(plan.pitch.f0_hz) == len(plan.pitch.voiced) == plan.num_frames
    assert plan.phones[0].start_s == 0 and plan.phones[-1].end_s == pytest.approx(
        0.005 * plan.num_frames, abs=0.005
    )
    for before, after in zip(plan.phones, plan.phones[1:], strict=False):
        assert before.end_s == pytest.approx(after.start_s)
