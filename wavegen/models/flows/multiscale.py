"""Multi-scale architecture of image flows, and the check of the image shape."""

from collections.abc import Callable, Sequence

import torch

from wavegen.errors import UserError
from wavegen.flows import Bijection, Compose, FactorOut

Shape = Sequence[int]


def multiscale(
    image_shape: Shape,
    *,
    num_scales: int,
    scale: Callable[[Shape, int], Bijection],
    prior: Callable[[Shape], Bijection | None],
) -> Bijection:
    """Bijections at ``num_scales`` scales; half of the channels are factored out between scales.

    ``scale(shape, index)`` builds the bijections of scale ``index`` (0 is the finest) for images of
    ``shape``. ``prior(shape)`` builds the bijection in front of a factor-out (``models/flows/priors.py``)
    or returns None for no bijection.

    Dinh et al. 2017, RealNVP (arXiv 1605.08803), section 3.6.
    """

    def from_scale(index: int, shape: Shape) -> Bijection:
        layers = scale(shape, index)
        if index == num_scales - 1:
            return layers
        channels, height, width = layers.forward_shape(shape)
        learned = prior((channels, height, width))
        inner = FactorOut(from_scale(index + 1, (channels // 2, height, width)))
        return Compose(layers, inner) if learned is None else Compose(layers, learned, inner)

    return from_scale(0, torch.Size(image_shape))


def require_scales(model: str, image_shape: Shape, num_scales: int) -> torch.Size:
    """Returns the image shape; raises ``UserError`` if it cannot be halved ``num_scales`` times."""
    shape = torch.Size(image_shape)
    if len(shape) != 3 or num_scales < 1:
        raise UserError(
            f"{model}: expected an image shape (channels, height, width) and at least one scale, got "
            f"{tuple(shape)} and {num_scales}"
        )
    if any(size < 1 or size % 2**num_scales for size in shape[1:]):
        raise UserError(
            f"{model}: expected a height and width divisible by 2^{num_scales} = {2**num_scales} for "
            f"{num_scales} scales, got {shape[1]} × {shape[2]}"
        )
    return shape
