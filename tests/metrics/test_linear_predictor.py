"""The linear predictor reaches the entropy of a process that is one, and its masses are a distribution."""

import math

import numpy as np
import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.linear_predictor import LinearPredictor, linear_predictor_bits


def autoregressive_process(num_samples: int, scale: float, seed: int) -> torch.Tensor:
    """x_t = 1.6 x_{t−1} − 0.8 x_{t−2} + logistic noise, rounded to the 16-bit grid at the end."""
    generator = np.random.default_rng(seed)
    innovation = generator.logistic(0.0, scale, size=num_samples)
    x = np.zeros(num_samples + 2)
    for t in range(num_samples):
        x[t + 2] = 1.6 * x[t + 1] - 0.8 * x[t] + innovation[t]
    return torch.from_numpy(np.round(x[2:] * 32768) / 32768)


def test_bits_of_an_autoregressive_process_are_its_entropy_rate():
    scale = 0.004
    train, test = (autoregressive_process(60000, scale, seed) for seed in (0, 1))
    # Differential entropy of a logistic is ln s + 2 nats; a fine grid of step 2⁻¹⁵ adds 15 bits.
    entropy_bits = (math.log(scale) + 2) / math.log(2) + 15
    assert linear_predictor_bits([train], [test]) == pytest.approx(entropy_bits, abs=0.02)


def test_fit_finds_the_coefficients_and_the_scale():
    waveforms = [autoregressive_process(30000, 0.004, seed) for seed in (0, 1)]
    predictor = LinearPredictor.fit(waveforms, order=2)
    np.testing.assert_allclose(predictor.coefficients, [1.6, -0.8], atol=0.02)
    assert predictor.scale == pytest.approx(0.004, rel=0.02)


def test_it_beats_white_noise_only_where_there_is_something_to_predict():
    generator = np.random.default_rng(0)
    white = torch.from_numpy(np.round(generator.logistic(0, 0.01, size=30000) * 32768) / 32768)
    entropy_bits = (math.log(0.01) + 2) / math.log(2) + 15
    assert linear_predictor_bits([white[:20000]], [white[20000:]]) == pytest.approx(entropy_bits, abs=0.03)


def test_a_sample_far_in_the_tail_costs_finite_bits():
    predictor = LinearPredictor(coefficients=np.array([-1.0]), scale=1e-4)
    log_prob = predictor.log_prob(torch.tensor([0.9, 0.9]))
    assert log_prob[1] == pytest.approx(-18000, rel=1e-3)


def test_without_a_signal_there_is_nothing_to_fit():
    with pytest.raises(UserError, match="empty or silent"):
        LinearPredictor.fit([torch.zeros(100)])
