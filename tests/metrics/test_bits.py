"""Bits per sample and the bootstrap interval of their mean."""

import math

import numpy as np
import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.bits import bits_per_sample, bootstrap_interval, ratio_interval


def test_uniform_over_the_grid_costs_sixteen_bits():
    log_prob = torch.full((2, 50), -math.log(65536), dtype=torch.float64)
    assert bits_per_sample(log_prob, 100) == pytest.approx(16.0)
    assert bits_per_sample(log_prob.sum(1), torch.tensor([50, 50])) == pytest.approx(16.0)
    assert math.isnan(bits_per_sample(0.0, 0))


def test_interval_covers_the_mean_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        values = generator.normal(3.0, 1.0, size=40)
        low, high = bootstrap_interval(values, seed=trial, num_resamples=400)
        covered += low < 3.0 < high
    assert 0.88 < covered / 200 < 0.99


def test_interval_is_seeded_and_weighted():
    values, weights = [1.0, 2.0, 9.0], [1.0, 1.0, 0.0]
    assert bootstrap_interval(values[:2], seed=1) == bootstrap_interval(values[:2], seed=1)
    low, high = bootstrap_interval([1.0, 2.0, 9.0], [1.0, 1.0, 1e-9])
    assert low >= 1.0 and high <= 9.0
    assert bootstrap_interval([4.0]) == (4.0, 4.0)
    with pytest.raises(UserError, match="equal length"):
        bootstrap_interval(values, weights[:2])


def test_weights_pull_the_interval_to_the_longer_utterances():
    values = np.r_[np.zeros(20), np.ones(20)]
    heavy_ones = np.r_[np.ones(20), 9 * np.ones(20)]
    low, high = bootstrap_interval(values, heavy_ones)
    assert low < 0.9 < high and low > 0.7


def test_the_interval_of_a_ratio_is_that_of_the_paired_sums():
    """Where every utterance has the same ratio, there is nothing to be uncertain of, however both vary."""
    denominators = np.random.default_rng(0).uniform(1, 9, size=30)
    assert ratio_interval(0.7 * denominators, denominators) == pytest.approx((0.7, 0.7))
    numerators = denominators * np.random.default_rng(1).uniform(0.5, 0.9, size=30)
    low, high = ratio_interval(numerators, denominators)
    assert low < numerators.sum() / denominators.sum() < high and 0.6 < low and high < 0.8
    equal = bootstrap_interval(numerators / denominators, denominators, seed=4)
    assert ratio_interval(numerators, denominators, seed=4) == pytest.approx(equal)


def test_a_ratio_to_what_may_be_nothing_has_no_interval():
    assert all(map(math.isnan, ratio_interval([1.0, 1.0], [1.0, -1.5])))
