"""Projected at the slowest rate that gives the same: against the projection of the whole at sample rate."""

from functools import partial

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
    SharedUpsampling,
)
from wavegen.nets.frame_sum import plain_frame_sum
from wavegen.nets.layer_conditioning import layer_conditionings

HOP_SAMPLES, FRAMES, NUM_SAMPLES = 6, 4, 20


def frame_part(upsampling):
    part = FrameConditioning(
        in_channels=2, channels=3, hop_samples=HOP_SAMPLES, hidden_channels=4, upsampling=upsampling
    )
    torch.nn.init.normal_(part.upsampling.weight)
    return part


PARTS = {
    "shared": [partial(frame_part, SharedUpsampling)],
    "learned": [partial(frame_part, LearnedUpsampling)],
    "shared and phase": [
        partial(frame_part, SharedUpsampling),
        partial(GlottalPhase, hop_samples=HOP_SAMPLES),
    ],
    "all": [
        partial(GlobalConditioning, num_classes=3, channels=2),
        partial(frame_part, SharedUpsampling),
        partial(frame_part, SharedUpsampling),
        partial(GlottalPhase, hop_samples=HOP_SAMPLES),
    ],
}


def context():
    return SpeechContext(
        features=torch.randn(2, 2, FRAMES, dtype=torch.float64),
        cycles=torch.rand(2, FRAMES, dtype=torch.float64).cumsum(-1),
        voiced=torch.ones(2, FRAMES, dtype=torch.float64),
        speaker=torch.tensor([0, 2]),
    )


@pytest.mark.parametrize("name", PARTS)
def test_projections_are_those_of_the_whole_conditioning(name):
    torch.manual_seed(0)
    conditioning = Conditioning([build() for build in PARTS[name]]).double()
    projections = [torch.randn(8, conditioning.channels, 1, dtype=torch.float64) for _ in range(3)]
    told = context()
    whole = conditioning(told, NUM_SAMPLES)
    found = layer_conditionings(conditioning, projections, told, NUM_SAMPLES, torch.float64)
    assert len(found) == 3
    for projection, layer in zip(projections, found, strict=True):
        total = torch.zeros(2, NUM_SAMPLES, 8, dtype=torch.float64)
        if layer.samples is not None:
            total = total + layer.samples @ layer.weight.t()
        if layer.frames is not None:
            total = plain_frame_sum(total, layer.frames, layer.kernel)
        torch.testing.assert_close(total, torch.einsum("gc,bct->btg", projection[..., 0], whole))


def test_what_commutes_is_not_projected_at_every_sample():
    told, projections = context(), [torch.randn(8, 8, 1)]
    conditioning = Conditioning([build() for build in PARTS["shared and phase"]])
    told = {key: value if key == "speaker" else value.float() for key, value in told.items()}
    (layer,) = layer_conditionings(conditioning, projections, told, NUM_SAMPLES, torch.float32)
    assert layer.samples.shape == (2, NUM_SAMPLES, 5) and layer.weight.shape == (8, 5)
    assert layer.frames.shape == (2, FRAMES + 2, 8)


@pytest.mark.parametrize("name", ["shared", "learned"])
def test_a_context_that_is_too_short_is_named(name):
    conditioning = Conditioning([build() for build in PARTS[name]]).double()
    projections = [torch.randn(8, 3, 1, dtype=torch.float64)]
    with pytest.raises(UserError, match="'features' covers 24 samples, expected at least 25"):
        layer_conditionings(conditioning, projections, context(), 25, torch.float64)
