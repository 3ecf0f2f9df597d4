"""Log-likelihoods as bits, and an interval for their mean over a test set."""

import math

import numpy as np
import torch
from torch import Tensor

from wavegen.errors import UserError


def bits_per_sample(log_prob_nats: Tensor | float, num_samples: Tensor | int) -> float:
    """−Σ log p / (N ln 2): the bits that each of N samples costs, from log-probabilities (sums) in nats."""
    total = torch.as_tensor(log_prob_nats, dtype=torch.float64).sum().item()
    count = torch.as_tensor(num_samples).sum().item()
    return -total / (count * math.log(2)) if count else math.nan


def bits_per_dimension(log_prob_nats: Tensor, num_dimensions: int) -> Tensor:
    """−log p / (D ln 2) of every image: the bits that each of its D = C · H · W values costs.

    D counts the image's own values, whatever it was padded with. log p is that of whole levels: the offset of
    their rescaling is in it (``wavegen/flows/dequantization.py``).
    """
    return log_prob_nats / (-num_dimensions * math.log(2))


def bootstrap_interval(
    values, weights=None, *, seed: int = 0, confidence: float = 0.95, num_resamples: int = 4000
) -> tuple[float, float]:
    """Percentile interval of Σ w v / Σ w when whole utterances are drawn anew with replacement.

    `values` are per-utterance means `(utterances,)`, `weights` what they are means over (their samples;
    equal by default). Utterances are the independent unit: neighbouring samples are not, so an interval over
    samples would be far too narrow. With one utterance low and high coincide. Efron, "Bootstrap methods:
    another look at the jackknife" (1979).
    """
    values = np.asarray(values, dtype=np.float64)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or values.shape != weights.shape:
        raise UserError(
            f"bootstrap_interval: values and weights must be one non-empty list each, of equal length, got "
            f"shapes {values.shape} and {weights.shape}."
        )
    generator = np.random.default_rng(seed)
    weighted = weights * values
    means = np.empty(num_resamples)
    step = max(1, 2**22 // values.size)  # large test sets in memory that does not grow with them
    for start in range(0, num_resamples, step):
        drawn = generator.integers(values.size, size=(min(step, num_resamples - start), values.size))
        means[start : start + step] = weighted[drawn].sum(1) / weights[drawn].sum(1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
