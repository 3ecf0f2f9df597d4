"""Means over scored samples."""

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` is true, both ``(…, batch, time)``; zero if the mask is empty.

    Masked-out values may be infinite or NaN, because they are removed and not multiplied by zero.
    """
    mask = mask.expand(values.shape)
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
