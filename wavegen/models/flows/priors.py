"""Priors of the channels that are factored out between scales, conditioned on the remaining channels."""

from wavegen.flows import Affine, Bijection, BoundedLogScale, ChannelSplit, Coupling
from wavegen.models.flows.multiscale import Shape
from wavegen.nets.convolutional import GainedConvolutionNet


def learned_prior(shape: Shape, context_features: int = 0) -> Bijection:
    """N(b; μ(a), σ(a)): the prior of the factored-out channels b given the remaining channels a.

    Implemented as the affine map (b − μ(a)) / σ(a) in front of the factor-out, whose prior is a standard
    normal. One convolution, initialised to zero, computes μ and σ as in the code of Glow (Kingma and
    Dhariwal 2018, arXiv 1807.03039). log σ stays within ±2.
    """
    split, transform = ChannelSplit(), Affine(log_scale_activation=BoundedLogScale(2.0))
    kept, moved = split.shapes(shape)
    conditioner = GainedConvolutionNet(kept[0], moved[0], transform.num_parameters, context_features)
    return Coupling(split=split, transform=transform, conditioner=conditioner)


def standard_prior(shape: Shape, context_features: int = 0) -> None:
    """A standard normal independent of the remaining channels, as in RealNVP; it adds no bijection."""
    return None
