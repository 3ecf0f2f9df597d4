"""Levinson's recursion against the normal equations, and against the spectrum that it approximates."""

import numpy as np
import pytest
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import freqz

from wavegen.flows.levinson import (
    WHITE_NOISE,
    autocorrelation_of_spectrum,
    reflections_of_autocorrelation,
)
from wavegen.flows.linear_prediction import taps_of_reflections


def random_autocorrelation(order, seed=0):
    """Of a random positive spectrum."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.rand(3, 65, generator=generator, dtype=torch.float64).square() + 0.01
    return autocorrelation_of_spectrum(spectrum, order)


@pytest.mark.parametrize("order", [1, 2, 7])
def test_taps_solve_the_normal_equations(order):
    autocorrelation = random_autocorrelation(order)
    reflections, log_gain = reflections_of_autocorrelation(autocorrelation)
    taps = taps_of_reflections(reflections)
    for r, own, gain in zip(autocorrelation.numpy(), taps.numpy(), log_gain.exp().numpy(), strict=True):
        r[0] *= 1 + WHITE_NOISE
        np.testing.assert_allclose(own, solve_toeplitz(r[:-1], r[1:]), rtol=1e-9)
        assert gain**2 == pytest.approx(r[0] - own @ r[1:])  # the error of the best prediction


def test_an_all_pole_spectrum_is_found_again():
    taps = taps_of_reflections(torch.tensor([0.6, -0.4, 0.2], dtype=torch.float64))
    _, response = freqz([0.5], np.concatenate([[1.0], -taps.numpy()]), np.linspace(0, np.pi, 1025))
    autocorrelation = autocorrelation_of_spectrum(torch.from_numpy(np.abs(response) ** 2), 3)
    reflections, log_gain = reflections_of_autocorrelation(autocorrelation)
    np.testing.assert_allclose(reflections, [0.6, -0.4, 0.2], atol=1e-4)
    assert log_gain.exp().item() == pytest.approx(0.5, rel=1e-4)


def test_a_flat_spectrum_needs_no_filter():
    reflections, log_gain = reflections_of_autocorrelation(autocorrelation_of_spectrum(torch.ones(9), 4))
    np.testing.assert_allclose(reflections, 0.0, atol=1e-6)
    assert log_gain.item() == pytest.approx(0.0, abs=1e-5)


def test_an_empty_band_leaves_the_filter_stable():
    spectrum = torch.zeros(33)
    spectrum[20:] = 1.0
    reflections, log_gain = reflections_of_autocorrelation(autocorrelation_of_spectrum(spectrum, 12))
    assert reflections.abs().max() < 1 and log_gain.isfinite()


def test_gradients_are_those_of_the_recursion():
    autocorrelation = random_autocorrelation(4).requires_grad_()
    assert torch.autograd.gradcheck(reflections_of_autocorrelation, (autocorrelation,))
