"""The baseline for a teacher: a linear predictor with one logistic residual, on the 16-bit grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve_toeplitz
from scipy.optimize import minimize_scalar
from torch import Tensor

from wavegen.distributions import DiscretizedLogisticMixture
from wavegen.errors import UserError
from wavegen.metrics.bits import bits_per_sample


@dataclass(frozen=True)
class LinearPredictor:
    """x_t ~ Logistic(Σ_k a_k x_{t−k}, s) rounded to the 16-bit grid; a is `(order,)`, s in waveform units."""

    coefficients: np.ndarray
    scale: float

    @classmethod
    def fit(cls, waveforms: Sequence[Tensor], *, order: int = 32) -> "LinearPredictor":
        """Fit a to the autocorrelation summed over `waveforms` (each `(time,)`), and s by maximum likelihood.

        Raises UserError if the waveforms are empty or silent.
        """
        arrays = [_as_array(waveform) for waveform in waveforms]
        autocorrelation = np.zeros(order + 1)
        for array in arrays:
            size = 2 * len(array) + order  # padding makes the circular correlation equal the linear one
            power = np.abs(np.fft.rfft(array, size)) ** 2
            autocorrelation += np.fft.irfft(power, size)[: order + 1]
        if not autocorrelation[0] > 0:
            raise UserError("linear predictor: the training waveforms must not be empty or silent.")
        # One part in 10⁹ of white noise keeps the equations solvable for band-limited recordings.
        autocorrelation[0] *= 1 + 1e-9
        coefficients = solve_toeplitz(autocorrelation[:-1], autocorrelation[1:])

        signal = np.concatenate(arrays)
        mean = np.concatenate([_predict(array, coefficients) for array in arrays])
        best = minimize_scalar(
            lambda log_scale: -_log_mass(signal, mean, log_scale).mean().item(),
            bounds=(math.log(1e-6), 0.0),
            method="bounded",
            options=dict(xatol=1e-4),
        )
        return cls(coefficients=coefficients, scale=math.exp(best.x))

    def log_prob(self, waveform: Tensor) -> Tensor:
        """Log mass of each 16-bit sample in nats, `(time,)` float64; samples before the first are zero."""
        array = _as_array(waveform)
        return _log_mass(array, _predict(array, self.coefficients), math.log(self.scale))


def linear_predictor_bits(
    train_waveforms: Sequence[Tensor], test_waveforms: Sequence[Tensor], *, order: int = 32
) -> float:
    """Bits per sample of `test_waveforms` under a predictor fitted on `train_waveforms`, each `(time,)`."""
    predictor = LinearPredictor.fit(train_waveforms, order=order)
    totals = torch.stack([predictor.log_prob(waveform).sum() for waveform in test_waveforms])
    return bits_per_sample(totals, sum(waveform.shape[-1] for waveform in test_waveforms))


def _as_array(waveform: Tensor) -> np.ndarray:
    return np.asarray(waveform, dtype=np.float64)


def _predict(waveform: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return np.convolve(waveform, np.concatenate([[0.0], coefficients]))[: len(waveform)]


def _log_mass(waveform: np.ndarray, mean: np.ndarray, log_scale: float) -> Tensor:
    loc = torch.from_numpy(mean).unsqueeze(-1)
    logistic = DiscretizedLogisticMixture(
        logits=torch.zeros_like(loc), loc=loc, log_scale=torch.full_like(loc, log_scale)
    )
    return logistic.log_prob(torch.from_numpy(waveform))
