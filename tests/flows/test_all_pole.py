"""The all-pole filter: against scipy, against its own matrix form and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from wavegen.flows.all_pole import all_pole_filter, filter_by_frames
from wavegen.flows.linear_prediction import taps_of_reflections


def stable_taps(batch, frames, order, dtype=torch.float64):
    return taps_of_reflections(0.9 * torch.tanh(torch.randn(batch, frames, order, dtype=dtype)))


@pytest.mark.parametrize("function", [all_pole_filter, filter_by_frames])
def test_constant_taps_are_scipys_filter(function):
    torch.manual_seed(0)
    taps, excitation = stable_taps(1, 1, 5), torch.randn(1, 40, dtype=torch.float64)
    found = function(excitation, taps.expand(1, 4, 5), 10)
    expected = lfilter([1.0], np.concatenate([[1.0], -taps[0, 0].numpy()]), excitation[0].numpy())
    torch.testing.assert_close(found[0], torch.from_numpy(expected))


@given(
    batch=st.integers(1, 3),
    order=st.integers(1, 6),
    hop_samples=st.integers(1, 5),
    num_samples=st.integers(1, 17),
    spare_frames=st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_the_loop_and_the_matrices_agree(batch, order, hop_samples, num_samples, spare_frames):
    """Also where the order is longer than a frame, the last frame is cut, and frames are left over."""
    torch.manual_seed(0)
    frames = -(-num_samples // hop_samples) + spare_frames
    excitation = torch.randn(batch, num_samples, dtype=torch.float64, requires_grad=True)
    taps = stable_taps(batch, frames, order).requires_grad_()
    weight = torch.randn(batch, num_samples, dtype=torch.float64)
    results = []
    for function in (all_pole_filter, filter_by_frames):
        output = function(excitation, taps, hop_samples)
        results.append((output, *torch.autograd.grad((weight * output).sum(), (excitation, taps))))
    for loop, matrices in zip(*results, strict=True):
        torch.testing.assert_close(loop, matrices, rtol=1e-9, atol=1e-9)


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    excitation = torch.randn(2, 11, dtype=torch.float64, requires_grad=True)
    taps = stable_taps(2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda e, a: all_pole_filter(e, a, 3), (excitation, taps))


@pytest.mark.cpu("elsewhere the filter has second gradients")
def test_a_second_gradient_is_refused_and_not_wrong():
    excitation = torch.randn(1, 6, dtype=torch.float64, requires_grad=True)
    taps = stable_taps(1, 2, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(
        all_pole_filter(excitation, taps, 3).square().sum(), taps, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.cpu("elsewhere the filter's sums are in float32")
def test_ten_seconds_in_float32_are_close_to_float64():
    """Near-unit poles: reflections up to 0.998, 24 taps, 16 kHz: an error 120 dB below the signal."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(1, 2000, 24, generator=generator, dtype=torch.float64)
    raw[..., 0] += 1.5  # a spectrum that falls towards high frequencies, as voiced speech
    decay = 0.7 ** torch.arange(24)
    taps = taps_of_reflections(0.998 * torch.tanh(raw * decay))
    excitation = torch.randn(1, 160_000, generator=generator, dtype=torch.float64)
    exact = all_pole_filter(excitation, taps.float().double(), 80)
    rounded = all_pole_filter(excitation.float(), taps.float(), 80)
    error = (rounded.double() - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert error < 1e-6
