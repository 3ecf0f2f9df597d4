import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from wavegen.audio.pitch import PitchTracker, PraatPitch, PyinPitch
from wavegen.errors import UserError
from wavegen.linguistics.layout import FeatureLayout
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.prosody.prosody import Prosody
from wavegen.linguistics.prosody.register import RegisterProsody
from wavegen.untrusted.parts import check_part, describe, is_json, restore, short

PROSODY = RegisterProsody(pitch=PyinPitch(80.0, 300.0), log_f0_mean=4.5)


def test_parts_within_parts_are_described_as_calls():
    described = describe(PROSODY)
    assert described["_target_"] == "wavegen.linguistics.prosody.register.RegisterProsody"
    assert described["pitch"]["_target_"] == "wavegen.audio.pitch.PyinPitch"
    assert described["pitch"]["min_hz"] == 80.0 and described["log_f0_mean"] == 4.5


def test_what_was_described_is_restored_from_json():
    described = json.loads(json.dumps(describe(PROSODY)))
    assert restore(described, RegisterProsody, "x.json") == PROSODY


@dataclass(frozen=True)
class Pair:
    values: tuple
    parts: list


def test_sequences_become_lists_of_their_parts():
    described = describe(Pair((1, (2, 3)), [PraatPitch()]))
    assert described["values"] == [1, [2, 3]]
    assert described["parts"] == [describe(PraatPitch())]


def test_what_is_no_dataclass_cannot_be_described():
    with pytest.raises(TypeError, match="object is not a dataclass"):
        describe(object())


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (
            None,
            "x.json does not describe a wavegen.audio.pitch.PraatPitch .*, expected a mapping",
        ),
        ({"min_hz": 60.0}, "does not describe a .*PyinPitch, expected a mapping"),
        ({"_target_": "os.system", "command": "true"}, "names the target 'os.system'"),
        (describe(PROSODY), "describes a .*RegisterProsody, expected a wavegen.audio.pitch.PraatPitch"),
        ({**describe(PraatPitch()), "min_hz": "low"}, "x.json: min_hz is 'low', expected a number"),
        ({**describe(PraatPitch()), "min_hz": -1.0}, "x.json: a pitch tracker needs 1 <="),
        ({**describe(PraatPitch()), "hz": 1.0}, "x.json has the argument 'hz'"),
    ],
)
def test_any_other_description_is_refused_with_its_place(description, message):
    with pytest.raises(UserError, match=message):
        restore(description, PitchTracker, "x.json")


@dataclass
class Thawed:
    pass


@dataclass(frozen=True)
class Unfitted:
    def plan(self, pronunciation): ...

    def summarise(self, phones, contours, spoken): ...


@dataclass(frozen=True)
class Foreign(Unfitted):
    value: object = None

    def fit(self, summaries): ...


@pytest.mark.parametrize("part", [PROSODY, RegisterProsody()])
def test_a_part_that_can_be_stored_is_accepted(part):
    check_part(part, Prosody, "prosody")
    check_part(part.pitch, PitchTracker, "pitch tracker")
    check_part(PhoneLayout(), FeatureLayout, "feature layout")


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        (object(), Prosody, "the part object is no frozen dataclass"),
        (Thawed(), Prosody, "the part Thawed is no frozen dataclass, expected @dataclass\\(frozen=True\\)"),
        (Unfitted(), Prosody, "Unfitted has no method fit, expected plan, summarise, fit of a Prosody"),
        (Unfitted(), PitchTracker, "Unfitted is no wavegen.audio.pitch.PraatPitch .*, expected one of a"),
        (Foreign(), FeatureLayout, "Foreign has no method compact, expected compact, is_speech, num_unknown"),
        (
            Foreign(np.float32(1)),
            Prosody,
            r"Foreign has value=.*1\.0.*, expected finite numbers, text",
        ),
        (Foreign(math.nan), Prosody, "Foreign has value=nan, expected finite numbers"),
        (Foreign(1.0), Prosody, "the part Foreign names the target '.*Foreign', expected one that wavegen's"),
        (replace(PROSODY, pitch=None), Prosody, "RegisterProsody: pitch is None, expected an object"),
    ],
)
def test_a_part_that_cannot_be_stored_is_refused_with_the_reason(part, kind, message):
    with pytest.raises(UserError, match=message) as caught:
        check_part(part, kind, "part")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 1, 0.5, "a", [1, [2.0]], {"a": True}, np.float64(1.0)])
def test_plain_values_are_json(value):
    assert is_json(value)


@pytest.mark.parametrize(
    "value", [np.float32(1), np.int64(1), np.ones(2), float("inf"), [float("nan")], {1j: 0}]
)
def test_other_values_are_not_json(value):
    assert not is_json(value)


def test_a_long_value_is_shown_short_and_in_one_line():
    assert short(0.5) == "0.5"
    assert len(short(np.zeros((9, 9)))) < 40 and "\n" not in short(np.zeros((9, 9)))
