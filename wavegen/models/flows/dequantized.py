"""Flows of images with whole pixel levels: dequantisation, preprocessing and a flow of real numbers."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.errors import UserError
from wavegen.flows import (
    Affine,
    Bijection,
    BoundedLogScale,
    Chain,
    ChannelSplit,
    Compose,
    Coupling,
    Flow,
    Logit,
    Permutation,
    Rescale,
    Squeeze,
    StandardLogistic,
    StandardNormal,
    Transform,
    UniformDequantization,
)
from wavegen.models.flows.multiscale import Shape, require_scales
from wavegen.nets.convolutional import GlowNet


def image_flow(
    image_shape: Shape,
    *,
    body: Bijection,
    preprocessing: Bijection,
    dequantization: Transform | None = None,
    base: Callable[[Shape], nn.Module] = StandardNormal,
) -> Flow:
    """Dequantization → preprocessing → body over ``base(latent shape)``.

    ``dequantization`` defaults to uniform noise over 256 levels.
    """
    dequantization = UniformDequantization() if dequantization is None else dequantization
    bijection = Chain(dequantization, preprocessing, body)
    return Flow(bijection=bijection, base=base(bijection.forward_shape(image_shape)))


def centred() -> Bijection:
    """z = y − ½: centres pixels in [0, 1) on 0, as Glow does."""
    return Rescale(loc=-0.5)


def scaled_logit(alpha: float = 0.05) -> Bijection:
    """z = logit(α + (1 − 2α) y): maps pixels in [0, 1] to a finite interval of the real line.

    RealNVP (arXiv 1605.08803, section 4.1) states logit(α + (1 − α) x / 256) with α = 0.05, which becomes
    infinite as its argument reaches 1. MAF (1705.07057) and the code of RealNVP use this symmetric form.
    Raises UserError unless 0 < α < ½.
    """
    if not 0 < alpha < 0.5:
        raise UserError(f"scaled_logit alpha: expected a number between 0 and ½, got {alpha}")
    return Compose(Rescale(scale=1 - 2 * alpha, loc=alpha), Logit())


class EmbeddedContext(nn.Module):
    """p(x | e(context)): the ``embedding`` e is computed once and shared by all layers of ``flow``."""

    def __init__(self, *, embedding: nn.Module, flow: Flow) -> None:
        super().__init__()
        self.embedding = embedding
        self.flow = flow

    def forward(self, context: Tensor) -> Distribution:
        return self.flow(self.embedding(context))


def variational_noise(
    *,
    image_shape: Shape,
    hidden_channels: int = 32,
    num_couplings: int = 4,
    transform: nn.Module | None = None,
) -> EmbeddedContext:
    """q(u | image) on the unit cube for ``VariationalDequantization``: a small conditional flow.

    The flow is u → logit u → squeeze → channel couplings → standard logistic noise. The couplings are
    conditioned on an embedding of the image with ``hidden_channels`` channels at half the resolution, which
    is computed once. At initialisation the layers only permute, so q is exactly uniform and training starts
    from uniform dequantisation. ActNorm is not used: it is initialised from data, and this flow is only
    sampled from.

    ``forward(image)`` takes an image scaled to (−1, 1), ``(batch, C, H, W)``. ``transform`` defaults to an
    affine map with log-scale within ±2. Training differentiates its inverse. Raises ``UserError`` if the
    height or the width is odd.

    Ho et al. 2019, Flow++ (arXiv 1902.00275), section 3.1; the paper uses mixture couplings here.
    """
    image_shape = require_scales("variational_noise", image_shape, 1)
    transform = Affine(log_scale_activation=BoundedLogScale(2.0)) if transform is None else transform
    squeeze = Squeeze()
    shape = squeeze.forward_shape(image_shape)
    embedding = nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(shape[0], hidden_channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1),
        nn.ReLU(),
    )
    layers: list[Bijection] = []
    for index in range(num_couplings):
        split = ChannelSplit() if index % 2 == 0 else ChannelSplit().swapped
        kept, moved = split.shapes(shape)
        conditioner = GlowNet(
            kept[0], moved[0], transform.num_parameters, hidden_channels, context_features=hidden_channels
        )
        if index and index % 2 == 0:
            # Both halves have been transformed once. Permute so that the next pair splits differently.
            layers.append(Permutation.random(shape[0], seed=index, event_dim=3))
        layers.append(Coupling(split=split, transform=transform, conditioner=conditioner))
    flow = Flow(bijection=Compose(Logit(), squeeze, *layers), base=StandardLogistic(shape))
    return EmbeddedContext(embedding=embedding, flow=flow)
