import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PraatPitch
from wavegen.errors import UserError
from wavegen.linguistics.analysis import TextAnalysis
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.contours import contours_of
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.prosody.register import RegisterProsody

TEXT = "A quiet river ran along the old stone wall."
LAYOUT = PhoneLayout()


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    spoken = EspeakFrontEnd().read(TEXT)
    num_frames = int(spoken.duration_s * 200)
    contours = contours_of(spoken.waveform, spoken.sample_rate, num_frames, PraatPitch())
    return FeatureEncoder.fit(LAYOUT, [LAYOUT.compact(spoken.phones, num_frames, contours)])


def analysis(encoder: FeatureEncoder, prosody: RegisterProsody) -> TextAnalysis:
    return TextAnalysis(EspeakFrontEnd(), prosody, encoder)


def log_f0(encoder: FeatureEncoder, context: SpeechContext) -> torch.Tensor:
    i = LAYOUT.feature_names.index("log_f0")
    return context["features"][i] * encoder.std[-2] + encoder.mean[-2]


def test_its_own_register_leaves_espeak_as_it_is(encoder):
    context, plan = analysis(encoder, RegisterProsody()).analyse(TEXT)
    spoken, num_frames = EspeakFrontEnd().read(TEXT), plan.num_frames
    assert plan.phones == spoken.phones
    assert num_frames == int(np.ceil(spoken.duration_s * 200))
    assert context["features"].shape == (LAYOUT.num_features, num_frames)
    assert context["cycles"].shape == context["voiced"].shape == (num_frames,)
    voiced = context["voiced"] > 0
    assert 0.4 < float(voiced.float().mean()) < 0.95
    assert float(log_f0(encoder, context)[voiced].mean()) == pytest.approx(float(encoder.mean[-2]), abs=0.05)


def test_rate_register_and_cycles_follow_the_voice(encoder):
    values = (4.6 + np.log(2), 0.2, 0.12, 4.6, 0.1, 0.08)
    plain, plain_plan = analysis(encoder, RegisterProsody()).analyse(TEXT)
    high, plan = analysis(encoder, RegisterProsody(PraatPitch(), *values)).analyse(TEXT)
    assert plan.num_frames == pytest.approx(1.5 * plain_plan.num_frames, abs=2)
    assert plan.phones[-1].end_s == pytest.approx(plan.num_frames * 0.005, abs=0.006)
    f0 = log_f0(encoder, high)
    expected = 4.6 + np.log(2) + 2 * (log_f0(encoder, plain) - 4.6)
    assert float(f0.median()) == pytest.approx(float(expected.median()), abs=0.02)
    growth = torch.diff(high["cycles"].double()) / 0.005
    np.testing.assert_allclose(growth, torch.exp((f0[1:] + f0[:-1]) / 2).double(), rtol=0.02)


def test_a_text_without_a_phone_is_refused(encoder):
    with pytest.raises(UserError, match="nothing that the voice"):
        analysis(encoder, RegisterProsody()).analyse("—")
