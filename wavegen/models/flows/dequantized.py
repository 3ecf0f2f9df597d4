"""Between whole pixel levels and the real numbers a flow works on."""

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


class EmbeddedContext(nn.Module):
    """p(x | e(context)): ``embedding`` e is computed once and shared by all layers of ``flow``."""

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

    u ↦ logit u, squeezed, through couplings of channels, to standard logistics. Couplings take the image by
    an embedding of ``hidden_channels`` at half of its resolution, computed once. The layers only permute at
    the start, so that q starts exactly uniform: training departs from uniform dequantisation. There is no
    ActNorm: it would take its first values from data, and this flow only ever generates.

    ``forward(image)`` takes an image scaled to (−1, 1), ``(batch, C, H, W)``. ``transform`` is an affine
    map with log-scale within ±2 if not given; its inverse is what training differentiates. Raises
    ``UserError`` for an odd height or width.

    Ho et al. 2019, Flow++ (arXiv 1902.00275), section 3.1; their noise flow has mixture couplings.
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
            # both halves have moved: from here on other channels steer
            layers.append(Permutation.random(shape[0], seed=index, event_dim=3))
        layers.append(Coupling(split=split, transform=transform, conditioner=conditioner))
    flow = Flow(bijection=Compose(Logit(), squeeze, *layers), base=StandardLogistic(shape))
    return EmbeddedContext(embedding=embedding, flow=flow)
