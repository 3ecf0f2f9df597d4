"""Linear interpolation from frames to samples."""

import torch
from torch import Tensor
from torch.nn import functional


def interpolate(frames: Tensor, hop_samples: int) -> Tensor:
    r"""Linear between frame centres, constant beyond both ends: ``(…, frames) -> (…, samples)``.

    .. math:: y[n H + i] = (1 - p_i)\, x[n] + p_i\, x[n + 1], \qquad p_i = \frac{i + 1/2}{H} - \frac12

    for :math:`p_i \ge 0`, and with :math:`x[n - 1]` in place of :math:`x[n + 1]` and :math:`-p_i` otherwise.
    """
    shape = frames.shape
    flat = frames.reshape(-1, 1, shape[-1])
    before, centre, after = functional.pad(flat, (1, 1), mode="replicate").unfold(-1, 3, 1).unbind(-1)
    before, centre, after = (part.transpose(1, 2) for part in (before, centre, after))
    place = (torch.arange(hop_samples, device=frames.device, dtype=frames.dtype) + 0.5) / hop_samples - 0.5
    values = torch.where(
        place < 0, centre - place * (before - centre), centre + place * (after - centre)
    )  # (flat, frames, hop)
    return values.reshape(*shape[:-1], shape[-1] * hop_samples)
