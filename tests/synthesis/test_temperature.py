import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.synthesis.temperature import VoicedTemperature, temperature_of_samples


def test_samples_of_voiced_frames_have_their_own_temperature():
    context = SpeechContext(voiced=torch.tensor([[0.0, 1.0, 0.0]]))
    values = temperature_of_samples(VoicedTemperature(0.5, 0.9, hop_samples=2), context, 5)
    torch.testing.assert_close(values, torch.tensor([[0.9, 0.9, 0.5, 0.5, 0.9]]))
    assert temperature_of_samples(0.7, None, 5) == 0.7


def test_what_has_no_voicing_or_sense_is_refused():
    with pytest.raises(UserError, match="'voiced'"):
        VoicedTemperature(0.5, 1.0, hop_samples=2).of_samples(None, 5)
    with pytest.raises(UserError, match="at least 0 and finite, got -1 .voiced. and 1"):
        VoicedTemperature(-1.0, 1.0, hop_samples=2)
