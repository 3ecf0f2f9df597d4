import pytest

from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.frontends.nothing_to_say import NothingToSay


@pytest.mark.parametrize("text", ["", " ", "()", "\u2026"])
def test_a_text_without_speech_is_told_apart_from_other_mistakes(text):
    assert issubclass(NothingToSay, UserError)
    with pytest.raises(NothingToSay):
        EspeakFrontEnd().read(text)
    with pytest.raises(UserError) as other:
        EspeakFrontEnd("no-such-voice").read("Yes.")
    assert not isinstance(other.value, NothingToSay)
