import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavegen.nets.frame_sum import add_frames_, frames_gradient, plain_frame_sum, repeat_ends


def case(batch, frames, hop_samples, channels, time):
    y = torch.randn(batch, time, channels, dtype=torch.float64)
    v = torch.randn(batch, frames, channels, dtype=torch.float64)
    return y, v, torch.randn(3, hop_samples, dtype=torch.float64)


CASES = {
    "batch": st.integers(1, 3),
    "frames": st.integers(1, 5),
    "hop_samples": st.integers(1, 4),
    "channels": st.integers(1, 3),
    "share": st.floats(0.01, 1),
}


def test_the_ends_are_repeated():
    frames = torch.arange(6.0).reshape(1, 3, 2)
    assert repeat_ends(frames)[0].tolist() == [[0, 1], [0, 1], [2, 3], [4, 5], [4, 5]]


@given(**CASES)
def test_every_sample_gets_what_its_three_frames_say(batch, frames, hop_samples, channels, share):
    time = max(1, round(share * frames * hop_samples))
    y, v, kernel = case(batch, frames, hop_samples, channels, time)
    expected = y.clone()
    for t in range(time):
        n, i = divmod(t, hop_samples)
        for j in (-1, 0, 1):
            expected[:, t] += kernel[j + 1, i] * v[:, min(max(n + j, 0), frames - 1)]
    torch.testing.assert_close(plain_frame_sum(y, repeat_ends(v), kernel), expected)
    added = y.clone()
    assert add_frames_(added, repeat_ends(v), kernel) is added
    torch.testing.assert_close(added, expected)


@given(**CASES)
def test_gradients_are_those_of_autograd(batch, frames, hop_samples, channels, share):
    time = max(1, round(share * frames * hop_samples))
    y, v, kernel = case(batch, frames, hop_samples, channels, time)
    around = repeat_ends(v).requires_grad_()
    kernel.requires_grad_()
    grad = torch.randn_like(y)
    expected = torch.autograd.grad(plain_frame_sum(y, around, kernel), (around, kernel), grad)
    found = frames_gradient(grad, around.detach(), kernel.detach())
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("given", "expected"), [(torch.bfloat16, torch.float32), (torch.float64,) * 2])
def test_gradients_are_summed_in_float32_at_least(given, expected):
    y, v, kernel = (tensor.to(given) for tensor in case(2, 3, 4, 2, 12))
    assert [gradient.dtype for gradient in frames_gradient(y, repeat_ends(v), kernel)] == 2 * [expected]
