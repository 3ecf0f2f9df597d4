"""Linear prediction added to a net's output, so that the net models the residual."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.linalg import solve_toeplitz
from torch import Tensor, nn
from torch.nn import functional

from wavegen.errors import UserError


def linear_prediction_coefficients(waveforms: Sequence[np.ndarray], order: int) -> np.ndarray:
    r"""Coefficients :math:`a_1 … a_p` of :math:`\hat x_t = \sum_i a_i x_{t-i}` for a set of recordings.

    Solves the normal equations :math:`R a = r` of the pooled autocorrelation (Levinson–Durbin), which makes
    the synthesis filter :math:`1 / A(z)` stable. A white noise floor 90 dB below the signal keeps the
    equations regular if a recording has an empty band.

    Raises:
        UserError: if every recording is silent.
    """
    autocorrelation = np.zeros(order + 1)
    for waveform in waveforms:
        x = np.asarray(waveform, dtype=np.float64)
        autocorrelation += np.array(
            [x[: len(x) - lag] @ x[lag:] if lag < len(x) else 0.0 for lag in range(order + 1)]
        )
    if autocorrelation[0] <= 0:
        raise UserError("linear prediction: expected a waveform with sound, but all waveforms are silent")
    autocorrelation[0] *= 1 + 1e-9
    return solve_toeplitz(autocorrelation[:order], autocorrelation[1:])


class LinearPrediction(nn.Module):
    r"""A conditioner whose locations include the linear prediction from the past.

    .. math:: \mu'_{t,k} = \mu_{t,k}(x_{<t}, c) + \sum_{i=1}^{p} a_i x_{t-i}

    Linear prediction reaches an error of a few 16-bit steps. A randomly initialised net in low precision
    takes long to learn what 32 taps give at once. The taps are trained with the rest.

    Args:
        conditioner: causal conditioner to add to.
        shift_loc: adds a prediction to the locations among the parameters, e.g. a method of the head.
        order: number of taps :math:`p`.
    """

    def __init__(
        self, *, conditioner: nn.Module, shift_loc: Callable[[Tensor, Tensor], Tensor], order: int
    ) -> None:
        super().__init__()
        self.conditioner = conditioner
        self.taps = nn.Parameter(torch.zeros(order))
        self.shift_loc = shift_loc

    @property
    def num_parameters(self) -> int:
        return self.conditioner.num_parameters

    @property
    def receptive_field(self) -> int:
        return max(self.conditioner.receptive_field, len(self.taps))

    @torch.no_grad()
    def fit(self, waveforms: Sequence[np.ndarray]) -> None:
        """Initialises the taps to the linear predictor of the recordings."""
        coefficients = linear_prediction_coefficients(waveforms, len(self.taps))
        self.taps.copy_(torch.from_numpy(coefficients[::-1].copy()))

    def forward(self, x: Tensor, context: object = None) -> Tensor:
        return self.shift_loc(self.conditioner(x, context), self.predict(x))

    def predict(self, x: Tensor) -> Tensor:
        """The linear prediction of every sample from the past, ``(batch, time)`` as ``x``."""
        order = len(self.taps)
        past = functional.pad(x, (order, 0))[:, :-1].unfold(
            -1, order, 1
        )  # (batch, time, order), oldest first
        with torch.autocast(x.device.type, enabled=False):
            return past @ self.taps

    # Step form: that of the net, with the last samples added to its state.

    def project_context(self, context: object, num_samples: int) -> Tensor | None:
        return self.conditioner.project_context(context, num_samples)

    def initial_state(self, batch_size: int) -> tuple[Tensor, object]:
        return self.taps.new_zeros(batch_size, len(self.taps)), self.conditioner.initial_state(batch_size)

    def step(
        self, x_previous: Tensor, projected: Tensor | None, state: tuple[Tensor, object]
    ) -> tuple[Tensor, tuple[Tensor, object]]:
        past, inner = state
        past = torch.cat([past[:, 1:], x_previous[:, None]], dim=1)
        parameters, inner = self.conditioner.step(x_previous, projected, inner)
        return self.shift_loc(parameters, past @ self.taps), (past, inner)
