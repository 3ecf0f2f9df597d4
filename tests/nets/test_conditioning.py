import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.conditioning import (
    Conditioning,
    FrameConditioning,
    GlobalConditioning,
    GlottalPhase,
    LearnedUpsampling,
)


def test_upsampling_starts_as_linear_interpolation_between_frame_centres():
    upsampling = LearnedUpsampling(channels=2, hop_samples=8).double()
    frames = torch.stack([torch.arange(5.0), 3 * torch.arange(5.0)]).double().unsqueeze(0)
    position = (torch.arange(40).double() + 0.5) / 8 - 0.5
    expected = position.clamp(0, 4)
    torch.testing.assert_close(upsampling(frames)[0, 0], expected)
    torch.testing.assert_close(upsampling(frames)[0, 1], 3 * expected)


def test_repeated_last_frames_change_nothing_before_them():
    torch.manual_seed(0)
    part = FrameConditioning(in_channels=6, channels=3, hop_samples=8)
    torch.nn.init.normal_(part.upsampling.weight)
    features = torch.randn(1, 6, 7)
    padded = torch.cat([features, features[..., -1:].expand(-1, -1, 4)], dim=-1)
    alone = part(SpeechContext(features=features), 7 * 8)
    torch.testing.assert_close(part(SpeechContext(features=padded), 7 * 8), alone)


def test_lookahead_is_one_frame():
    part = FrameConditioning(in_channels=2, channels=3, hop_samples=4).double()
    features = torch.randn(1, 2, 9, dtype=torch.float64, requires_grad=True)
    part(SpeechContext(features=features), 36)[0, :, 16:20].sum().backward()  # the samples of frame 4
    touched = features.grad.abs().sum((0, 1)) > 0
    assert touched.tolist() == [False, False, False, True, True, True, False, False, False]


def test_glottal_phase_is_zero_at_pulses_and_silent_where_unvoiced():
    hop, frames = 80, 50
    f0_hz, frame_rate = 100.0, 200.0
    centre = (torch.arange(frames, dtype=torch.float64) + 0.5) / frame_rate
    context = SpeechContext(cycles=(f0_hz * centre)[None], voiced=torch.ones(1, frames, dtype=torch.float64))
    channels = GlottalPhase(hop_samples=hop, num_harmonics=2)(context, frames * hop)[0]
    time = (torch.arange(frames * hop, dtype=torch.float64) + 0.5) / (frame_rate * hop)
    inner = slice(hop, -hop)
    for harmonic in (1, 2):
        angle = 2 * math.pi * harmonic * f0_hz * time
        torch.testing.assert_close(channels[harmonic - 1][inner], angle.sin()[inner])
        torch.testing.assert_close(channels[1 + harmonic][inner], angle.cos()[inner])
    context["voiced"].zero_()
    assert GlottalPhase(hop_samples=hop)(context, frames * hop).abs().max() == 0


def test_parts_stand_side_by_side_and_name_what_they_miss():
    parts = Conditioning(
        [
            GlobalConditioning(num_classes=3, channels=4),
            FrameConditioning(in_channels=2, channels=5, hop_samples=4),
        ]
    )
    context = SpeechContext(speaker=torch.tensor([2, 0]), features=torch.randn(2, 2, 3))
    channels = parts(context, 12)
    assert channels.shape == (2, 9, 12)
    torch.testing.assert_close(channels[:, :4, 0], channels[:, :4, 11])
    with pytest.raises(UserError, match="'speaker'"):
        parts(SpeechContext(features=context["features"]), 12)
    with pytest.raises(UserError, match="covers 12 samples, expected at least 13"):
        parts(context, 13)
    with pytest.raises(UserError, match="3 features per frame, expected 2"):
        parts({**context, "features": torch.randn(2, 3, 3)}, 12)
