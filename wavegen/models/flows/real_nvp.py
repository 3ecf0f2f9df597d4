"""RealNVP: affine couplings for vectors, and for images at several scales."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from wavegen.flows import (
    ActNorm,
    Affine,
    AlternatingSplit,
    Bijection,
    BoundedLogScale,
    ChannelSplit,
    CheckerboardSplit,
    Compose,
    Coupling,
    Flow,
    Split,
    Squeeze,
    StandardNormal,
    Transform,
)
from wavegen.models.flows.dequantized import image_flow, scaled_logit
from wavegen.models.flows.multiscale import Shape, multiscale, require_scales
from wavegen.models.flows.priors import standard_prior
from wavegen.nets.mlp import MLP
from wavegen.nets.residual_net import ResidualNet


def bounded_affine() -> Affine:
    """z = x · exp(2 tanh(s / 2)) + t: the bounded scale prevents overflow where samples are outliers."""
    return Affine(log_scale_activation=BoundedLogScale(2.0))


def real_nvp(
    *,
    features: int,
    hidden: Sequence[int] = (64, 64),
    num_couplings: int = 6,
    transform: nn.Module | None = None,
    split: Split | None = None,
    normalisation: Callable[[int], Bijection] | None = None,
    base: Callable[[Shape], nn.Module] = StandardNormal,
    context_features: int = 0,
) -> Flow:
    """Couplings with ``split`` and its complement alternately, over a standard normal.

    Defaults: ``transform`` is ``bounded_affine()``, ``split`` is ``AlternatingSplit()``.
    ``normalisation(features)`` builds the layer in front of each coupling, for example ``ActNorm`` or
    ``BatchNorm`` with ``event_dim=1``. None adds no layer.

    Dinh, Sohl-Dickstein and Bengio 2017 (arXiv 1605.08803).
    """
    transform = bounded_affine() if transform is None else transform
    split = AlternatingSplit() if split is None else split
    layers = []
    for index in range(num_couplings):
        its_split = split if index % 2 == 0 else split.swapped
        (kept,), (moved,) = its_split.shapes((features,))
        conditioner = MLP(kept, moved, transform.num_parameters, hidden, context_features)
        if normalisation is not None:
            layers.append(normalisation(features))
        layers.append(Coupling(split=its_split, transform=transform, conditioner=conditioner))
    return Flow(bijection=Compose(*layers), base=base((features,)), context_rank=1)


def real_nvp_image(
    *,
    image_shape: Shape,
    num_scales: int = 2,
    hidden_channels: int = 32,
    num_blocks: int = 1,
    num_couplings: int = 3,
    transform: nn.Module | None = None,
    normalisation: Callable[[int], Bijection] = ActNorm,
    prior: Callable[..., Bijection | None] = standard_prior,
    dequantization: Transform | None = None,
    preprocessing: Bijection | None = None,
    context_features: int = 0,
) -> Flow:
    """Multi-scale RealNVP for whole pixel levels of ``image_shape`` (C, H, W).

    Each scale except the last has ``num_couplings`` checkerboard couplings, a squeeze and ``num_couplings``
    channel couplings with twice the hidden channels; then half of the channels are factored out. The last
    scale has ``num_couplings + 1`` checkerboard couplings. ``normalisation(num_channels)`` builds the layer
    in front of each coupling: ActNorm, or the batch norm of the paper (``BatchNorm``). Conditioners are
    residual nets of ``num_blocks`` blocks.

    The prior of the factored-out channels is standard normal as in the paper, or ``learned_prior`` of
    ``models/flows/priors.py``. Defaults: ``transform`` is ``bounded_affine()``, ``dequantization`` is
    uniform over 256 levels, ``preprocessing`` is ``scaled_logit()``.

    Raises ``UserError`` if the height or width is not divisible by 2^num_scales.

    Dinh, Sohl-Dickstein and Bengio 2017 (arXiv 1605.08803), sections 3.4 – 3.7 and 4.1.
    """
    image_shape = require_scales("real_nvp_image", image_shape, num_scales)
    transform = bounded_affine() if transform is None else transform

    def couplings(split: Split, shape: Shape, count: int, width: int) -> list[Bijection]:
        layers = []
        for index in range(count):
            its_split = split if index % 2 == 0 else split.swapped
            kept, moved = its_split.shapes(shape)
            conditioner = ResidualNet(
                kept[0], moved[0], transform.num_parameters, width, num_blocks, context_features
            )
            layers.append(normalisation(shape[0]))
            layers.append(Coupling(split=its_split, transform=transform, conditioner=conditioner))
        return layers

    def scale(shape: Shape, index: int) -> Bijection:
        if index == num_scales - 1:
            return Compose(*couplings(CheckerboardSplit(), shape, num_couplings + 1, hidden_channels))
        checkerboards = couplings(CheckerboardSplit(), shape, num_couplings, hidden_channels)
        squeeze = Squeeze()
        channels = couplings(ChannelSplit(), squeeze.forward_shape(shape), num_couplings, 2 * hidden_channels)
        return Compose(*checkerboards, squeeze, *channels)

    its_prior = partial(prior, context_features=context_features)
    return image_flow(
        image_shape,
        body=multiscale(image_shape, num_scales=num_scales, scale=scale, prior=its_prior),
        preprocessing=scaled_logit() if preprocessing is None else preprocessing,
        dequantization=dequantization,
    )
