import json
from dataclasses import dataclass

import pytest

from wavegen.audio.pitch import PitchTracker, PraatPitch, PyinPitch
from wavegen.errors import UserError
from wavegen.linguistics.prosody.register import RegisterProsody
from wavegen.untrusted.parts import describe, restore

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
