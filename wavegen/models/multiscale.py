"""What image flows share: the scales, and the layers between whole pixel levels and real numbers."""

from collections.abc import Callable, Sequence

import torch

from wavegen.errors import UserError
from wavegen.flows import (
    Bijection,
    Chain,
    Compose,
    FactorOut,
    Flow,
    Logit,
    Rescale,
    StandardNormal,
    Transform,
    UniformDequantization,
)

Shape = Sequence[int]


def multiscale(
    image_shape: Shape,
    *,
    num_scales: int,
    scale: Callable[[Shape, int], Bijection],
    prior: Callable[[Shape], Bijection | None],
) -> Bijection:
    """``num_scales`` times the bijections of one scale; between scales half of the channels leave.

    ``scale(shape, index)`` builds those of scale ``index`` (0 is the finest) for images of ``shape``,
    ``prior(shape)`` what stands in front of a factor-out (``models/priors.py``), or None for nothing.

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


def image_flow(
    image_shape: Shape,
    *,
    body: Bijection,
    preprocessing: Bijection,
    dequantization: Transform | None = None,
    base: Callable[[Shape], torch.nn.Module] = StandardNormal,
) -> Flow:
    """dequantization → preprocessing → body over ``base(latent shape)``; uniform, 256 levels if not given."""
    dequantization = UniformDequantization() if dequantization is None else dequantization
    bijection = Chain(dequantization, preprocessing, body)
    return Flow(bijection=bijection, base=base(bijection.forward_shape(image_shape)))


def centred() -> Bijection:
    """z = y − ½: pixels in [0, 1) around 0, as Glow takes them."""
    return Rescale(loc=-0.5)


def scaled_logit(alpha: float = 0.05) -> Bijection:
    """z = logit(α + (1 − 2α) y): pixels in [0, 1] on the whole line, short of the logit's poles.

    RealNVP (arXiv 1605.08803, section 4.1) takes logit(α + (1 − α) x / 256) with α = 0.05, which on its
    upper side still touches the pole; the symmetric form is that of MAF (1705.07057) and of RealNVP's code.
    """
    if not 0 < alpha < 0.5:
        raise UserError(f"scaled_logit alpha: expected a number between 0 and ½, got {alpha}")
    return Compose(Rescale(scale=1 - 2 * alpha, loc=alpha), Logit())


def require_scales(model: str, image_shape: Shape, num_scales: int) -> torch.Size:
    """The image's shape, checked. Raises ``UserError`` where it cannot be halved ``num_scales`` times."""
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
