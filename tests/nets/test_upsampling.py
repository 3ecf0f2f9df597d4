import numpy as np
import pytest
import torch

from wavegen.nets.upsampling import interpolate


@pytest.mark.parametrize(("num_frames", "hop_samples"), [(1, 4), (5, 4), (6, 5)])
def test_it_is_linear_between_frame_centres_and_constant_beyond(num_frames, hop_samples):
    frames = torch.randn(2, 3, num_frames, dtype=torch.float64)
    result = interpolate(frames, hop_samples)
    assert result.shape == (2, 3, num_frames * hop_samples)
    centres = (np.arange(num_frames) + 0.5) * hop_samples
    expected = np.interp(np.arange(num_frames * hop_samples) + 0.5, centres, frames[1, 2])
    np.testing.assert_allclose(result[1, 2], expected, rtol=1e-12, atol=1e-12)
