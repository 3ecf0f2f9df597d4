import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PraatPitch
from wavegen.errors import UserError
from wavegen.linguistics.features import FeatureEncoder, FeatureLayout, compact_frames
from wavegen.linguistics.frontends.espeak.voice import EspeakVoice
from wavegen.linguistics.frontends.frontend import TextFrontEnd
from wavegen.linguistics.register import VoiceRegister

TEXT = "A quiet river ran along the old stone wall."
LAYOUT = FeatureLayout()


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    spoken = EspeakVoice().speak(TEXT)
    num_frames = int(spoken.duration_s * 200)
    track = PraatPitch()(spoken.waveform, spoken.sample_rate, num_frames)
    return FeatureEncoder.fit(LAYOUT, [compact_frames(spoken.phones, num_frames, LAYOUT, track)])


def log_f0(encoder: FeatureEncoder, context: dict[str, torch.Tensor]) -> torch.Tensor:
    i = LAYOUT.feature_names.index("log_f0")
    return context["features"][i] * encoder.std[-1] + encoder.mean[-1]


def test_its_own_register_leaves_espeak_as_it_is(encoder):
    context, phones, num_frames = TextFrontEnd(EspeakVoice(), encoder, VoiceRegister(4.6, 0.1)).analyse(TEXT)
    spoken = EspeakVoice().speak(TEXT)
    assert phones == spoken.phones
    assert num_frames == int(np.ceil(spoken.duration_s * 200))
    assert context["features"].shape == (LAYOUT.num_features, num_frames)
    assert context["cycles"].shape == context["voiced"].shape == (num_frames,)
    voiced = context["voiced"] > 0
    assert 0.4 < float(voiced.float().mean()) < 0.95
    assert float(log_f0(encoder, context)[voiced].mean()) == pytest.approx(float(encoder.mean[-1]), abs=0.05)


def test_rate_register_and_cycles_follow_the_voice(encoder):
    plain_voice = VoiceRegister(4.6, 0.1)
    high_voice = VoiceRegister(4.6 + np.log(2), 0.2, 0.12, 4.6, 0.1, 0.08)
    plain, _, plain_frames = TextFrontEnd(EspeakVoice(), encoder, plain_voice).analyse(TEXT)
    high, phones, high_frames = TextFrontEnd(EspeakVoice(), encoder, high_voice).analyse(TEXT)
    assert high_frames == pytest.approx(1.5 * plain_frames, abs=2)
    assert phones[-1].end_s == pytest.approx(high_frames * 0.005, abs=0.006)
    f0 = log_f0(encoder, high)
    expected = 4.6 + np.log(2) + 2 * (log_f0(encoder, plain) - 4.6)
    assert float(f0.median()) == pytest.approx(float(expected.median()), abs=0.02)
    growth = torch.diff(high["cycles"].double()) / 0.005
    np.testing.assert_allclose(growth, torch.exp((f0[1:] + f0[:-1]) / 2).double(), rtol=0.02)


def test_a_text_without_a_phone_is_refused(encoder):
    with pytest.raises(UserError, match="nothing that the voice"):
        TextFrontEnd(EspeakVoice(), encoder, VoiceRegister(4.6, 0.1)).analyse("—")
