"""Means over the samples that count."""

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` is true, both ``(…, batch, time)``; zero where nothing counts.

    Masked-out values may be infinite or NaN: they are dropped, not multiplied by zero.
    """
    mask = mask.expand(values.shape)
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
