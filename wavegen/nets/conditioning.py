"""Conditioning of a WaveNet: modules that map context entries to channels at sample rate.

Each part reads the entries it needs from the context (a mapping of tensors by name) and returns channels at
sample rate. A WaveNet takes a list of parts, so a new kind of conditioning is one more part.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.errors import UserError
from wavegen.nets.upsampling import interpolate

Context = Mapping[str, Tensor]


def entry(context: object, key: str) -> Tensor:
    """Returns the context entry ``key``; raises a UserError that names it if it is missing."""
    if not isinstance(context, Mapping) or key not in context:
        got = f"entries {sorted(context)}" if isinstance(context, Mapping) else "no context"
        raise UserError(f"the conditioning needs the context entry '{key}' but got {got}")
    return context[key]


class ConditioningPart(nn.Module):
    """One source of conditioning: ``forward(context, num_samples) -> (batch, channels, samples)``.

    Nets and engines use these declarations:

    - ``rate``: the rate at which the channels change, ``sample``, ``frame`` or ``constant``.
    - ``commutes``: whether a pointwise linear map of the channels may be applied at that rate. A part at
      frame rate that commutes has ``at_frame_rate(context) -> (batch, channels, frames)`` and a
      ``kernel (3, hop_samples)`` that upsamples the result.
    - ``hop_samples``: samples per frame; 0 if nothing of the context is at frame rate. A sample may depend
      on the previous, current and next frame only, because engines compute parts window by window.
    """

    rate: Literal["sample", "frame", "constant"]
    channels: int
    hop_samples = 0

    @property
    def commutes(self) -> bool:
        return False


class LearnedUpsampling(nn.Module):
    r"""Upsampling from frames to samples by one learned interpolation kernel per channel.

    .. math:: y_c[n H + i] = \sum_{j=-1}^{1} w_c[j, i] \, x_c[n + j], \qquad 0 \le i < H

    which is a depthwise transposed convolution of kernel :math:`3H` and stride :math:`H`, initialised to
    linear interpolation between frame centres. The first and the last frame are repeated beyond the ends, so
    padding a sequence with its last frame does not change its result. Lookahead: one frame.

    Shapes: ``(batch, channels, frames) -> (batch, channels, frames * hop_samples)``.
    """

    is_shared = False
    """Whether all channels use the same kernel, so that pointwise linear maps commute with the upsampling."""

    def __init__(self, *, channels: int, hop_samples: int) -> None:
        super().__init__()
        self.hop_samples = hop_samples
        self.weight = nn.Parameter(linear_interpolation(hop_samples).expand(channels, 3, hop_samples).clone())

    def forward(self, frames: Tensor) -> Tensor:
        return torch.einsum("bcnj,cji->bcni", neighbours(frames), self.weight.to(frames.dtype)).flatten(-2)


class SharedUpsampling(nn.Module):
    r"""Upsampling from frames to samples by one learned interpolation kernel for all channels.

    .. math:: y_c[n H + i] = \sum_{j=-1}^{1} w[j, i] \, x_c[n + j], \qquad 0 \le i < H

    As :class:`LearnedUpsampling`, but it commutes with every pointwise linear map. The engines therefore
    compute a net's projections of the conditioning once per frame and upsample the result.

    Args:
        hop_samples: :math:`H`.
        channels: any number; the kernel is the same for all.
    """

    is_shared = True

    def __init__(self, *, hop_samples: int, channels: int | None = None) -> None:
        super().__init__()
        self.hop_samples = hop_samples
        self.weight = nn.Parameter(linear_interpolation(hop_samples))

    def forward(self, frames: Tensor) -> Tensor:
        return (neighbours(frames) @ self.weight.to(frames.dtype)).flatten(-2)


def linear_interpolation(hop_samples: int) -> Tensor:
    """Weights ``(3, hop_samples)`` of the frame before, at and after each sample: linear between centres."""
    position = (torch.arange(hop_samples) + 0.5) / hop_samples - 0.5  # in frames, from the frame centre
    return torch.stack([(-position).clamp(min=0), 1 - position.abs(), position.clamp(min=0)])


def neighbours(frames: Tensor) -> Tensor:
    """Each frame with the previous and the next frame, ends repeated: ``(batch, channels, frames, 3)``."""
    return functional.pad(frames, (1, 1), mode="replicate").unfold(-1, 3, 1)


class FrameConditioning(ConditioningPart):
    """Encoded linguistic features: two pointwise layers at frame rate, then learned upsampling.

    The pointwise layers see one frame. The features already describe the neighbourhood (five phones,
    positions). The activation is leaky ReLU, because a saturated tanh here is a known cause of a teacher
    that ignores its conditioning.

    Args:
        in_channels: features per frame.
        channels: output channels.
        hop_samples: samples per frame.
        hidden_channels: width of the hidden layer.
        key: the context entry, ``(batch, in_channels, frames)``.
        upsampling: builds the upsampling from frames to samples, called with ``channels`` and
            ``hop_samples``.
    """

    rate = "frame"

    def __init__(
        self,
        *,
        in_channels: int,
        channels: int,
        hop_samples: int,
        hidden_channels: int = 128,
        key: str = "features",
        upsampling: Callable[..., nn.Module] = LearnedUpsampling,
    ) -> None:
        super().__init__()
        self.key, self.in_channels, self.channels = key, in_channels, channels
        self.frame_net = nn.Sequential(
            nn.Conv1d(in_channels, hidden_channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden_channels, channels, 1),
            nn.LeakyReLU(0.2),
        )
        self.upsampling = upsampling(channels=channels, hop_samples=hop_samples)
        self.hop_samples = hop_samples

    @property
    def commutes(self) -> bool:
        return self.upsampling.is_shared

    @property
    def kernel(self) -> Tensor:
        """The kernel of an upsampling that all channels share, ``(3, hop_samples)``."""
        return self.upsampling.weight

    def forward(self, context: Context, num_samples: int) -> Tensor:
        return crop(self.upsampling(self.at_frame_rate(context)), num_samples, self.key)

    def at_frame_rate(self, context: Context) -> Tensor:
        """The channels before upsampling, ``(batch, channels, frames)``."""
        features = entry(context, self.key)
        if features.shape[-2] != self.in_channels:
            raise UserError(
                f"context entry '{self.key}' has {features.shape[-2]} features per frame, "
                f"expected {self.in_channels}"
            )
        return self.frame_net(features)


class GlottalPhase(ConditioningPart):
    r"""Position within the pitch period as sines and cosines, zero where unvoiced.

    With :math:`\varphi` the glottal cycles interpolated linearly between frame centres and :math:`v` the
    voicing, the channels are :math:`v \sin 2\pi k\varphi, v \cos 2\pi k\varphi` for :math:`k = 1 … K`, and
    :math:`v`. Periodicity is hard to learn from F0 values alone. Given the phase, a free-running teacher
    sustains its vowels, and a student need not create periodicity from white noise.

    Args:
        hop_samples: samples per frame.
        num_harmonics: :math:`K`.
    """

    rate = "sample"

    def __init__(self, *, hop_samples: int, num_harmonics: int = 2) -> None:
        super().__init__()
        self.hop_samples, self.num_harmonics = hop_samples, num_harmonics
        self.channels = 2 * num_harmonics + 1

    def forward(self, context: Context, num_samples: int) -> Tensor:
        cycles, voiced = entry(context, "cycles"), entry(context, "voiced")
        phase = interpolate(cycles - cycles[:, :1].floor(), self.hop_samples)
        voiced = interpolate(voiced.to(phase.dtype), self.hop_samples)
        multiples = (
            2 * math.pi * torch.arange(1, self.num_harmonics + 1, device=phase.device, dtype=phase.dtype)
        )
        angles = multiples[:, None] * phase.unsqueeze(1)
        channels = torch.cat([angles.sin(), angles.cos(), torch.ones_like(phase).unsqueeze(1)], dim=1)
        return crop(channels * voiced.unsqueeze(1), num_samples, "cycles")


class GlobalConditioning(ConditioningPart):
    """An embedding constant in time: speaker, language, style; ``key`` holds ``(batch,)`` integers."""

    rate, commutes = "constant", True

    def __init__(self, *, num_classes: int, channels: int, key: str = "speaker") -> None:
        super().__init__()
        self.key, self.channels = key, channels
        self.embedding = nn.Embedding(num_classes, channels)

    def forward(self, context: Context, num_samples: int) -> Tensor:
        return self.embedding(entry(context, self.key)).unsqueeze(-1).expand(-1, -1, num_samples)


class Conditioning(nn.Module):
    """Concatenates parts: ``forward(context, num_samples) -> (batch, sum of parts' channels, samples)``."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.channels = sum(part.channels for part in parts)

    def forward(self, context: Context, num_samples: int) -> Tensor:
        return torch.cat([part(context, num_samples) for part in self.parts], dim=1)


def crop(upsampled: Tensor, num_samples: int, key: str) -> Tensor:
    """The first ``num_samples`` samples; raises UserError if the frames cover fewer."""
    require_cover(upsampled.shape[-1], num_samples, key)
    return upsampled[..., :num_samples]


def require_cover(covered: int, num_samples: int, key: str) -> None:
    """Raises UserError if a context entry covers fewer samples than ``num_samples``."""
    if covered < num_samples:
        raise UserError(f"context entry '{key}' covers {covered} samples, expected at least {num_samples}")
