"""A batch of noise has the shapes of a training's."""

import pytest
import torch

from wavegen.training.noise_batch import LEVEL, LONGEST_S, noise_batch

VOICE = {"sample_rate": 16000, "hop_samples": 80, "num_features": 7}


@pytest.mark.parametrize(("duration_s", "num_frames"), [(0.001, 1), (0.1, 20), (3.0, LONGEST_S * 200)])
def test_a_frame_of_past_is_not_scored_and_one_of_features_follows(duration_s, num_frames):
    torch.manual_seed(0)
    batch = noise_batch(VOICE, duration_s)
    assert batch.waveform.shape == batch.mask.shape == (2, (1 + num_frames) * 80)
    assert not batch.mask[:, :80].any() and batch.mask[:, 80:].all()
    assert batch.context["features"].shape == (2, 7, 2 + num_frames)
    assert batch.waveform.std().item() == pytest.approx(LEVEL, rel=0.2)
