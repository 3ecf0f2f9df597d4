"""Flow++: mixture-of-logistics couplings conditioned by gated convolutions and self-attention."""

from collections.abc import Callable, Sequence

from torch import nn

from wavegen.errors import UserError
from wavegen.flows import (
    ActNorm,
    Bijection,
    Chained,
    ChannelSplit,
    CheckerboardSplit,
    Compose,
    Coupling,
    Flow,
    MixtureOfLogisticsLogit,
    Split,
    Squeeze,
    Transform,
)
from wavegen.models.flows.dequantized import image_flow, scaled_logit
from wavegen.models.flows.glow import invertible_1x1
from wavegen.models.flows.multiscale import Shape, require_scales
from wavegen.models.flows.real_nvp import bounded_affine
from wavegen.nets.gated_attention import GatedAttentionNet


def mixture_then_affine(num_components: int = 4, min_log_scale: float = -7.0) -> Chained:
    """z = exp(s) · logit F(x) + t; F is the CDF of a mixture of logistics (equation 13)."""
    return Chained(MixtureOfLogisticsLogit(num_components, min_log_scale), bounded_affine())


def flow_plus_plus(
    *,
    image_shape: Shape,
    num_couplings: Sequence[int] = (4, 2, 3),
    hidden_channels: int = 32,
    num_blocks: int = 1,
    num_heads: int = 4,
    transform: nn.Module | None = None,
    permutation: Callable[[int, int], Bijection] = invertible_1x1,
    dequantization: Transform | None = None,
    preprocessing: Bijection | None = None,
    context_features: int = 0,
) -> Flow:
    """Flow++ for whole pixel levels of ``image_shape`` (C, H, W).

    ``num_couplings`` gives three counts: checkerboard couplings at full resolution, channel couplings after
    the squeeze, and checkerboard couplings after the squeeze. The paper uses (4, 2, 3) for 32×32. Each
    coupling is preceded by ActNorm and ``permutation(num_channels, index)``; the permutation is omitted for
    a single channel. No channels are factored out. For the paper's model, pass
    ``dequantization=VariationalDequantization(...)`` with ``variational_noise``.

    Defaults: ``transform`` is ``mixture_then_affine()``, ``dequantization`` is uniform over 256 levels,
    ``preprocessing`` is ``scaled_logit()``. Raises ``UserError`` if the height or width is not divisible by
    4 (by 2 if there are no checkerboard couplings after the squeeze), or if there are not three counts.

    Ho, Chen, Srinivas, Duan and Abbeel 2019 (arXiv 1902.00275).
    """
    if len(num_couplings) != 3 or sum(num_couplings) < 1 or min(num_couplings) < 0:
        raise UserError(
            "flow_plus_plus num_couplings: expected three counts (checkerboard, channel, checkerboard), got "
            f"{tuple(num_couplings)}"
        )
    image_shape = require_scales("flow_plus_plus", image_shape, 2 if num_couplings[2] else 1)
    transform = mixture_then_affine() if transform is None else transform
    layers: list[Bijection] = []

    def add(split: Split, shape: Shape, count: int) -> None:
        for index in range(count):
            its_split = split if index % 2 == 0 else split.swapped
            kept, moved = its_split.shapes(shape)
            layers.append(ActNorm(shape[0]))
            if shape[0] > 1:
                layers.append(permutation(shape[0], len(layers)))
            conditioner = GatedAttentionNet(
                kept[0],
                moved[0],
                transform.num_parameters,
                hidden_channels,
                image_size=kept[1:],
                num_blocks=num_blocks,
                num_heads=num_heads,
                context_features=context_features,
            )
            layers.append(Coupling(split=its_split, transform=transform, conditioner=conditioner))

    fine, channel, coarse = num_couplings
    add(CheckerboardSplit(), image_shape, fine)
    squeeze = Squeeze()
    layers.append(squeeze)
    squeezed_shape = squeeze.forward_shape(image_shape)
    add(ChannelSplit(), squeezed_shape, channel)
    add(CheckerboardSplit(), squeezed_shape, coarse)
    return image_flow(
        image_shape,
        body=Compose(*layers),
        preprocessing=scaled_logit() if preprocessing is None else preprocessing,
        dequantization=dequantization,
    )
