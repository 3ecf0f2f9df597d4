"""Reflection coefficients of the linear predictor of a spectrum, by the Levinson–Durbin recursion."""

import torch
from torch import Tensor

from wavegen.distributions.precision import at_least_float32

WHITE_NOISE = 1e-5
"""Added to the autocorrelation at lag 0, relative to it: the equations stay regular for an empty band."""


def reflections_of_autocorrelation(autocorrelation: Tensor) -> tuple[Tensor, Tensor]:
    r"""Reflection coefficients and the log-gain of the predictor of a process with unit gain at lag 0.

    .. math:: k_m = \frac{r_m - \sum_{i<m} a^{(m-1)}_i r_{m-i}}{E_{m-1}}, \qquad
              E_m = (1 - k_m^2) E_{m-1}, \quad E_0 = r_0

    with the signs of :func:`~wavegen.flows.linear_prediction.taps_of_reflections`, so that
    :math:`g^2 / |A|^2` with :math:`g^2 = E_p` is the all-pole spectrum with the autocorrelation
    :math:`r_0 … r_p` (Levinson 1947, Durbin 1960; Markel and Gray 1976). A noise floor 50 dB below keeps
    :math:`|k_m| < 1`.

    Args:
        autocorrelation: :math:`r_0 … r_p`, ``(…, order + 1)``, with :math:`r_0 > 0`.

    Returns:
        reflection coefficients ``(…, order)``, and :math:`\log g` ``(…)``; differentiable.
    """
    (r,) = at_least_float32(autocorrelation)
    error = r[..., 0] * (1 + WHITE_NOISE)
    reflections: list[Tensor] = []
    taps = r[..., :0]
    for m in range(1, r.shape[-1]):
        predicted = (taps * r[..., 1:m].flip(-1)).sum(-1)
        k = (r[..., m] - predicted) / error
        taps = torch.cat([taps - k[..., None] * taps.flip(-1), k[..., None]], -1)
        error = error * (1 - k.square())
        reflections.append(k)
    return torch.stack(reflections, -1), 0.5 * error.log()


def autocorrelation_of_spectrum(power: Tensor, order: int) -> Tensor:
    r"""Autocorrelation of a power spectrum at N + 1 even frequencies: ``(…, N + 1) -> (…, order + 1)``.

    .. math:: r_m = \frac1N \sum_{j=0}^{N} w_j P_j \cos(\pi m j / N)

    from 0 to half the sample rate, by the trapezoidal rule: :math:`w_0 = w_N = 1/2`, else 1.
    """
    last = power.shape[-1] - 1
    index = torch.arange(last + 1, dtype=power.dtype, device=power.device)
    lags = torch.arange(order + 1, dtype=power.dtype, device=power.device)
    weight = torch.where((index == 0) | (index == last), 0.5, 1.0) / last
    return (power * weight) @ torch.cos(torch.pi / last * index[:, None] * lags)
