"""Of the half of the channels that leaves between two scales: its prior, given the half that stays."""

from wavegen.flows import Affine, Bijection, BoundedLogScale, ChannelSplit, Coupling
from wavegen.models.flows.multiscale import Shape
from wavegen.nets.convolutional import GainedConvolutionNet


def learned_prior(shape: Shape, context_features: int = 0) -> Bijection:
    """N(b; μ(a), σ(a)) of the half b of the channels that leaves given the half a that stays.

    The affine map (b − μ(a)) / σ(a) in front of the factor-out, over its standard normal. One convolution,
    zero at the start, as in Glow's code (Kingma and Dhariwal 2018, arXiv 1807.03039); log σ within ±2.
    """
    split, transform = ChannelSplit(), Affine(log_scale_activation=BoundedLogScale(2.0))
    kept, moved = split.shapes(shape)
    conditioner = GainedConvolutionNet(kept[0], moved[0], transform.num_parameters, context_features)
    return Coupling(split=split, transform=transform, conditioner=conditioner)


def standard_prior(shape: Shape, context_features: int = 0) -> None:
    """Standard normal whatever stays, as in RealNVP: nothing stands in front of the factor-out."""
    return None
