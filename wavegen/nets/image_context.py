"""Shared code of image conditioners: the input of the context and the layout of the parameters."""

import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.nets.vector_inputs import require_floating


class ImageContext(nn.Module):
    """A 1×1 convolution of the context, at the resolution of ``x``.

    ``context`` is ``(batch, context_features)``, the same at every position, or an image
    ``(batch, context_features, height, width)``, averaged down (or repeated up) to the resolution of x.
    Returns ``(batch, out_channels, height, width)``, with height and width 1 for a vector; add it before
    an activation.

    Raises ``UserError`` if the context has another width or rank.
    """

    def __init__(self, context_features: int, out_channels: int) -> None:
        super().__init__()
        self.context_features = context_features
        self.projection = nn.Conv2d(context_features, out_channels, 1, bias=False)

    def forward(self, context: Tensor, x: Tensor) -> Tensor:
        if context.dim() not in (2, 4):
            raise UserError(
                "context: expected (batch, features) or (batch, channels, height, width), got shape "
                f"{tuple(context.shape)}"
            )
        if context.dim() == 2:
            context = context[:, :, None, None]
        elif context.shape[2:] != x.shape[2:]:
            context = F.adaptive_avg_pool2d(context, (x.shape[2], x.shape[3]))
        return self.projection(context)


def require_context(owner: nn.Module, context: Tensor | None, context_features: int) -> None:
    """Raises ``UserError`` if a context is missing, unexpected, of another type or of another width."""
    if context is not None and (not isinstance(context, Tensor) or context.dim() < 2):
        got = f"shape {tuple(context.shape)}" if isinstance(context, Tensor) else type(context).__name__
        raise UserError(
            f"{type(owner).__name__} context: expected one tensor (batch, features) or (batch, channels, "
            f"height, width), got {got}"
        )
    offered = 0 if context is None else context.shape[1]
    if offered != context_features:
        raise UserError(
            f"{type(owner).__name__} context: expected {context_features} features or channels, got {offered}"
        )
    require_floating(owner, context)


def per_element(raw: Tensor, num_parameters: int) -> Tensor:
    """``(batch, num_parameters · C, H, W)`` as ``(batch, C, H, W, num_parameters)``, a view.

    The channel index is parameter-major, so that ``unbind(-1)`` gives images that are contiguous within each
    member of the batch.
    """
    return raw.unflatten(1, (num_parameters, -1)).movedim(1, -1)
