"""Converts log-likelihoods to bits, and estimates an interval of their mean over a test set."""

import math

import numpy as np
import torch
from torch import Tensor

from wavegen.errors import UserError


def bits_per_sample(log_prob_nats: Tensor | float, num_samples: Tensor | int) -> float:
    """−Σ log p / (N ln 2): bits per sample of N samples, from log-probabilities (or their sums) in nats."""
    total = torch.as_tensor(log_prob_nats, dtype=torch.float64).sum().item()
    count = torch.as_tensor(num_samples).sum().item()
    return -total / (count * math.log(2)) if count else math.nan


def bits_per_dimension(log_prob_nats: Tensor, num_dimensions: int) -> Tensor:
    """−log p / (D ln 2) of every image: bits for each of its D = C · H · W values.

    D counts the image's own values without padding. log p is that of whole levels: it includes the offset of
    the rescaling (``wavegen/flows/dequantization.py``).
    """
    return log_prob_nats / (-num_dimensions * math.log(2))


def bootstrap_interval(
    values, weights=None, *, seed: int = 0, confidence: float = 0.95, num_resamples: int = 4000
) -> tuple[float, float]:
    """Percentile bootstrap interval of Σ w v / Σ w: whole utterances are resampled with replacement.

    `values` are per-utterance means `(utterances,)`, `weights` their numbers of samples (equal by default).
    Utterances are independent, but neighbouring samples are not, so an interval over samples would be far too
    narrow. With one utterance, low equals high. Efron, "Bootstrap methods: another look at the jackknife"
    (1979).
    """
    values = np.asarray(values, dtype=np.float64)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or values.shape != weights.shape:
        raise UserError(
            f"bootstrap_interval: expected two non-empty lists of equal length, got values and weights of "
            f"shapes {values.shape} and {weights.shape}."
        )
    return ratio_interval(
        weights * values, weights, seed=seed, confidence=confidence, num_resamples=num_resamples
    )


def ratio_interval(
    numerators, denominators, *, seed: int = 0, confidence: float = 0.95, num_resamples: int = 4000
) -> tuple[float, float]:
    """Percentile bootstrap interval of Σ a / Σ b over whole utterances, `(utterances,)` each.

    An utterance's numerator and denominator are drawn together, so what both have in common cancels. The
    interval is NaN if a resample's Σ b is not positive: the ratio is then not determined.
    """
    numerators, denominators = (np.asarray(x, dtype=np.float64) for x in (numerators, denominators))
    generator = np.random.default_rng(seed)
    ratios = np.empty(num_resamples)
    step = max(1, 2**22 // numerators.size)  # limits the memory for large test sets
    for start in range(0, num_resamples, step):
        drawn = generator.integers(numerators.size, size=(min(step, num_resamples - start), numerators.size))
        total = denominators[drawn].sum(1)
        determined = np.where(total > 0, total, np.nan)
        ratios[start : start + step] = numerators[drawn].sum(1) / determined
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
