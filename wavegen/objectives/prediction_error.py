"""The error of a linear predictor, frame by frame and blind to gain: what decides the shape of a filter."""

import torch
from torch import Tensor, nn

from wavegen.audio.waveform import GRID_STEP
from wavegen.objectives.reduction import masked_mean
from wavegen.objectives.short_time import stft_size


class PredictionError(nn.Module):
    r"""Mean log level of a prediction residual in windows w of a few pitch periods.

    .. math:: L = \operatorname{mean}_n \tfrac12 \log\Bigl(\frac{\sum_i w_i^2\, r_{nH+i}^2}{\sum_i w_i^2}
              + \epsilon\Bigr), \qquad r_t = x_t - \sum_i a_i x_{t-i}

    Up to a constant it is the negative log-likelihood, in nats per sample, of a Gaussian residual whose gain
    is known in every window. L minus its smallest value over all taps is Itakura's distance of the filter's
    spectrum from the recording's, which does not depend on levels. A likelihood with a predicted gain g
    weights the error of a window by :math:`1/g^2`: the windows whose gain the features underestimate decide
    the filter. Here every window counts the same. :math:`\epsilon` is the power of the rounding to 16 bits.

    Itakura 1975, *Minimum prediction residual principle applied to speech recognition*.

    Args:
        sample_rate: of the residual, Hz.
        window_ms, hop_ms: length of the Hann window, and H.

    Shapes: ``forward(residual, mask)``, both ``(batch, time)``; a scalar, the mean over windows whose samples
    are all scored, and 0 without such a window.

    Raises:
        UserError: if window or hop is shorter than a sample.
    """

    def __init__(self, *, sample_rate: int, window_ms: float = 20.0, hop_ms: float = 10.0) -> None:
        super().__init__()
        size = stft_size(window_ms, hop_ms, sample_rate)
        self.hop_samples = size["hop_samples"]
        window = torch.hann_window(size["window_samples"], periodic=False).square()
        self.register_buffer("weights", window / window.sum(), persistent=False)

    def forward(self, residual: Tensor, mask: Tensor) -> Tensor:
        if residual.shape[-1] < len(self.weights):
            return torch.zeros_like(residual[0, 0])
        squares = residual.masked_fill(~mask, 0.0).square()
        power, scored = (values.unfold(-1, len(self.weights), self.hop_samples) for values in (squares, mask))
        log_level = 0.5 * torch.log(power @ self.weights.to(power) + GRID_STEP**2 / 12)
        return masked_mean(log_level, scored.all(-1))
