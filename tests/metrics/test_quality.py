import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.metrics.quality import pesq_mos

pytest.importorskip("pesq")


@pytest.fixture(scope="module")
def speech():
    spoken = EspeakFrontEnd().read("The weather was fine, and they walked along the river.")
    return torch.as_tensor(spoken.waveform).float()


@pytest.mark.parametrize(("sample_rate", "best"), [(8000, 4.549), (16000, 4.644), (24000, 4.644)])
def test_a_recording_has_the_best_score_of_its_scale(speech, sample_rate, best):
    assert pesq_mos(speech, speech, sample_rate) == pytest.approx(best, abs=1e-3)


def test_noise_costs_quality(speech):
    noise = torch.randn(len(speech), generator=torch.Generator().manual_seed(0)) * speech.std()
    scores = [pesq_mos(speech, speech + share * noise, 16000) for share in (0.0, 0.03, 0.3)]
    assert scores[0] > scores[1] + 0.3 and scores[1] > scores[2] + 0.3 and scores[2] > 1


def test_what_has_no_speech_has_no_score(speech):
    for reference, waveform in ((speech, 0 * speech), (0 * speech, 0 * speech), (speech[:100], speech[:100])):
        assert math.isnan(pesq_mos(reference, waveform, 16000))
    with pytest.raises(UserError, match="one length"):
        pesq_mos(speech, speech[1:], 16000)
