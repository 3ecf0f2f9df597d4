"""Projects a WaveNet's conditioning for its layers, at frame rate where that gives the same result."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from wavegen.nets.conditioning import Conditioning, Context, require_cover
from wavegen.nets.frame_sum import repeat_ends
from wavegen.nets.gated_layer import LayerConditioning


def layer_conditionings(
    conditioning: Conditioning,
    projections: Sequence[Tensor],
    context: Context | None,
    num_samples: int,
    dtype: torch.dtype,
) -> list[LayerConditioning]:
    r"""The terms :math:`V_l c_t` that every layer adds to its gates, in two pieces.

    A part whose upsampling is the same for all channels commutes with the projection,

    .. math:: V_l \sum_j \kappa[j, i] \, x_{n+j} = \sum_j \kappa[j, i] \, (V_l \, x_{n+j}),

    so it is projected once per frame, for all layers in one product, and upsampled where it is added. With 80
    channels this leaves 3 multiplications per sample instead of 80. Every other part is projected at every
    sample, layer by layer, because the projections for all layers would need gigabytes per minute of speech.

    Args:
        conditioning: the net's parts.
        projections: ``(gate, conditioning channels, 1)`` of every layer.
        context, num_samples: as for the net.
        dtype: of the products.

    Raises:
        UserError: if the context lacks an entry or covers fewer samples.
    """
    ends = list(accumulate(part.channels for part in conditioning.parts))
    columns = [slice(end - part.channels, end) for part, end in zip(conditioning.parts, ends, strict=True)]
    by_frame = [i for i, part in enumerate(conditioning.parts) if part.rate == "frame" and part.commutes]
    shared = by_frame[0] if by_frame else None
    others = [index for index in range(len(conditioning.parts)) if index != shared]
    samples, kernel = None, None
    frames: Sequence[Tensor | None] = [None] * len(projections)
    if others:
        samples = torch.cat([conditioning.parts[index](context, num_samples) for index in others], dim=1)
        samples = samples.transpose(1, 2).to(dtype).contiguous()
    if shared is not None:
        part = conditioning.parts[shared]
        kernel = part.kernel
        at_frame_rate = part.at_frame_rate(context)
        covered = at_frame_rate.shape[-1] * part.hop_samples
        require_cover(covered, num_samples, part.key)
        matrix = torch.cat([projection[:, columns[shared], 0] for projection in projections])
        projected = functional.linear(at_frame_rate.transpose(1, 2).to(dtype), matrix.to(dtype))
        frames = repeat_ends(projected).chunk(len(projections), dim=-1)
    weights = [
        torch.cat([projection[:, columns[index], 0] for index in others], dim=1) if others else None
        for projection in projections
    ]
    return [
        LayerConditioning(samples, weight, at, kernel) for weight, at in zip(weights, frames, strict=True)
    ]
