import dataclasses
import json

import numpy as np
import pytest

from wavegen.audio.pitch import PitchTrack
from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.prosody.prosody import Plan, Prosody, fitted, summary_of
from wavegen.linguistics.prosody.register import RegisterProsody

PHONES = [TimedPhone("k", 0.0, 0.01), TimedPhone("a", 0.01, 0.02)]


def test_the_register_is_a_prosody_and_a_front_end_is_none():
    assert isinstance(RegisterProsody(), Prosody)
    assert not isinstance(EspeakFrontEnd(), Prosody)
    assert dataclasses.is_dataclass(RegisterProsody) and RegisterProsody.__dataclass_params__.frozen


def test_summaries_are_json_and_fitting_gives_the_same_kind():
    summary = json.loads(json.dumps(RegisterProsody().summarise(PHONES, CONTOURS, None)))
    fitted = RegisterProsody().fit([summary])
    assert type(fitted) is RegisterProsody
    assert fitted.log_f0_mean == pytest.approx(np.log(150))


def test_a_plan_covers_its_phones_with_frames_of_pitch():
    spoken = EspeakFrontEnd().read("Good day.")
    plan = RegisterProsody().plan(spoken)
    assert isinstance(plan, Plan)
    contours = plan.contours
    assert len(contours.pitch.f0_hz) == len(contours.pitch.voiced) == plan.num_frames
    assert len(contours.loudness_db) == plan.num_frames
    assert plan.phones[0].start_s == 0 and plan.phones[-1].end_s == pytest.approx(
        0.005 * plan.num_frames, abs=0.005
    )
    for before, after in zip(plan.phones, plan.phones[1:], strict=False):
        assert before.end_s == pytest.approx(after.start_s)


CONTOURS = Contours(PitchTrack(np.full(4, 150.0), np.ones(4)), np.full(4, -20.0))


@pytest.mark.parametrize(
    ("num_frames", "f0_hz", "voiced", "message"),
    [
        (0, [], [], "0 frames, expected at least one"),
        (4, np.ones(3), np.ones(4), r"4 frames with f0_hz of the shape \(3,\), expected \(4,\)"),
        (4, np.ones(4), np.ones(5), r"4 frames with voiced of the shape \(5,\), expected \(4,\)"),
        (5, np.ones(4), np.ones(4), r"5 frames with f0_hz of the shape \(4,\), expected \(5,\)"),
        (2, np.ones((2, 1)), np.ones(2), r"f0_hz of the shape \(2, 1\), expected \(2,\)"),
        (3, [120.0, 0.0, 120.0], np.ones(3), "with f0_hz=0 in frame 1, expected a finite F0 above 0, also"),
        (3, [120.0, 120.0, np.nan], np.ones(3), "with f0_hz=nan in frame 2, expected a finite F0"),
        (1, [np.inf], [1.0], "with f0_hz=inf in frame 0"),
    ],
)
def test_a_plan_that_no_voice_can_speak_is_refused(num_frames, f0_hz, voiced, message):
    with pytest.raises(UserError, match=f"^the prosody plans .*{message}"):
        Plan(PHONES, num_frames, Contours(PitchTrack(f0_hz, voiced), np.zeros(num_frames)))


def test_a_plan_may_hold_lists():
    assert Plan(PHONES, 2, Contours(PitchTrack([120.0, 130.0], [1, 0]), [-20.0, -30.0])).num_frames == 2


@pytest.mark.parametrize(
    ("loudness_db", "message"),
    [([-20.0], r"loudness_db of the shape \(1,\), expected \(2,\)"), ([-20.0, np.nan], "that is not finite")],
)
def test_a_plan_needs_the_loudness_of_each_frame(loudness_db, message):
    with pytest.raises(UserError, match=f"^the prosody plans 2 frames with .*{message}"):
        Plan(PHONES, 2, Contours(PitchTrack([120.0, 130.0], [1, 0]), loudness_db))


class Summarises(RegisterProsody):
    """A register whose summaries and fits are those that a test gives it."""

    def summarise(self, phones, contours, spoken):
        return self.result

    fit = property(lambda self: lambda summaries: self.result)


@pytest.fixture
def giving():
    def make(result):
        prosody = Summarises()
        object.__setattr__(prosody, "result", result)
        return prosody

    return make


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "is a NoneType, expected a dict of JSON values"),
        (
            {"ok": 1.0, "f0": np.float32(1)},
            r"has f0=.*1\.0.* \(numpy\.float32\), expected a finite",
        ),
        ({"f0": np.ones(3)}, r"has f0=array.* \(numpy\.ndarray\), expected a finite JSON value"),
        ({"f0": float("nan")}, r"has f0=nan \(float\), expected a finite JSON value"),
        ({1: 2.0}, r"has 1=2\.0 \(float\), expected"),
    ],
)
def test_a_summary_that_cannot_be_written_is_refused_with_its_key(giving, result, message):
    with pytest.raises(UserError, match=f"^the summary of Summarises {message}"):
        summary_of(giving(result), PHONES, CONTOURS, None)


def test_a_fit_gives_a_prosody_that_can_be_stored(giving):
    summary = summary_of(RegisterProsody(), PHONES, CONTOURS, None)
    assert fitted(RegisterProsody(), [summary]) == RegisterProsody().fit([summary])
    with pytest.raises(UserError, match="^Summarises.fit returned a NoneType, expected a fitted Summarises$"):
        fitted(giving(None), [summary])
    odd = giving(dataclasses.replace(giving(None), log_f0_mean=np.float32(5)))
    with pytest.raises(UserError, match="^the prosody Summarises has log_f0_mean=.*5.0.*, expected finite"):
        fitted(odd, [summary])
