"""Glow: steps of ActNorm, channel permutation and coupling at several scales."""

from collections.abc import Callable
from functools import partial

from torch import nn

from wavegen.flows import (
    ActNorm,
    Bijection,
    ChannelSplit,
    Compose,
    Coupling,
    Flow,
    InvertibleConvolution,
    LUConvolution,
    Permutation,
    Squeeze,
    Transform,
)
from wavegen.models.flows.dequantized import centred, image_flow
from wavegen.models.flows.multiscale import Shape, multiscale, require_scales
from wavegen.models.flows.priors import learned_prior
from wavegen.models.flows.real_nvp import bounded_affine
from wavegen.nets.convolutional import GlowNet


def reverse(num_channels: int, index: int) -> Bijection:
    """Reverses the order of the channels."""
    return Permutation.reverse(num_channels, event_dim=3)


def shuffle(num_channels: int, index: int) -> Bijection:
    """Shuffles the channels in a fixed random order; the step number ``index`` is the seed."""
    return Permutation.random(num_channels, seed=index, event_dim=3)


def invertible_1x1(num_channels: int, index: int) -> Bijection:
    """A 1×1 convolution with a learned invertible matrix over the channels."""
    return InvertibleConvolution(num_channels)


def lu_1x1(num_channels: int, index: int) -> Bijection:
    """A 1×1 convolution parametrised as P L (U + diag s); its log-determinant costs O(channels)."""
    return LUConvolution(num_channels)


def glow(
    *,
    image_shape: Shape,
    num_scales: int = 2,
    num_steps: int = 8,
    hidden_channels: int = 64,
    transform: nn.Module | None = None,
    permutation: Callable[[int, int], Bijection] = invertible_1x1,
    prior: Callable[..., Bijection | None] = learned_prior,
    dequantization: Transform | None = None,
    preprocessing: Bijection | None = None,
    context_features: int = 0,
) -> Flow:
    """Glow for whole pixel levels of ``image_shape`` (C, H, W).

    Each scale is a squeeze followed by ``num_steps`` steps. Half of the channels are factored out between
    scales. The ablations of the paper are ``transform`` ∈ {``Additive()``, ``bounded_affine()``} ×
    ``permutation`` ∈ {``reverse``, ``shuffle``, ``invertible_1x1``}. ``permutation(num_channels, index)``
    builds the permutation of step ``index``, counted over all scales. ``prior`` is ``learned_prior`` or
    ``standard_prior`` (``priors.py``).

    The paper's scale is σ(s + 2), in (0, 1). Here it is exp(2 tanh(s / 2)), within e^±2, because a sigmoid
    close to 0 makes samples infinite.

    Defaults: ``transform`` is ``bounded_affine()``, ``dequantization`` is uniform over 256 levels,
    ``preprocessing`` is ``centred()``. Raises ``UserError`` if the height or width is not divisible by
    2^num_scales.

    Kingma and Dhariwal 2018 (arXiv 1807.03039).
    """
    image_shape = require_scales("glow", image_shape, num_scales)
    transform = bounded_affine() if transform is None else transform

    def step(shape: Shape, index: int) -> list[Bijection]:
        split = ChannelSplit()
        kept, moved = split.shapes(shape)
        conditioner = GlowNet(kept[0], moved[0], transform.num_parameters, hidden_channels, context_features)
        return [
            ActNorm(shape[0]),
            permutation(shape[0], index),
            Coupling(split=split, transform=transform, conditioner=conditioner),
        ]

    def scale(shape: Shape, index: int) -> Bijection:
        squeeze = Squeeze()
        shape = squeeze.forward_shape(shape)
        first = index * num_steps
        steps = [layer for number in range(num_steps) for layer in step(shape, first + number)]
        return Compose(squeeze, *steps)

    return image_flow(
        image_shape,
        body=multiscale(
            image_shape,
            num_scales=num_scales,
            scale=scale,
            prior=partial(prior, context_features=context_features),
        ),
        preprocessing=centred() if preprocessing is None else preprocessing,
        dequantization=dequantization,
    )
