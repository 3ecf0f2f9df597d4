"""Splits a WaveNet's conditioning into time windows for the engines and projects it at the lowest rate.

Every layer adds a projection :math:`V_l c_t` of the conditioning to its gates. Parts whose upsampling is the
same for all channels commute with it:

.. math:: V_l \\sum_j w[j, i] \\, x[n + j] = \\sum_j w[j, i] \\, (V_l \\, x[n + j]), \\qquad t = n H + i,

so they are projected once per frame. Parts that are constant in time are projected once per utterance, all
others at every sample. Windows start on a fixed grid of frames, so that the results do not depend on an
engine's block size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.conditioning import Conditioning, ConditioningPart

WINDOW_FRAMES = 32
"""Frames of a window."""

LOOKAHEAD_FRAMES = 1
"""Frames after its own that a sample's conditioning depends on."""


class Unsupported(Exception):
    """Raised for a model that an engine cannot run; names the part and the reason."""


@dataclass(frozen=True)
class Window:
    """The conditioning of the samples ``start … stop − 1`` of every utterance, float32 on the CPU.

    ``samples``: ``(batch, stop − start, sample_channels)``. ``frames``: ``(batch, frames + 2,
    frame_channels)``, the window's frames and one more on each side (repeated at the ends of the utterance).
    """

    start: int
    stop: int
    samples: Tensor
    frames: Tensor


class ConditioningWindows:
    """Splits the conditioning of one WaveNet into sample-rate, frame-rate and constant channels.

    Args:
        conditioning: of the net; None for an unconditional one.

    Attributes:
        hop_samples: samples per frame; 0 if no part reads frames of the context.
        sample_columns, frame_columns, constant_columns: the channels of each kind, as columns of every
            layer's projection.
        kernel: ``(3, hop_samples)``, the common upsampling of the frame-rate channels.

    Raises:
        Unsupported: if the rate of a part is unknown, or parts have different numbers of samples per frame.
    """

    def __init__(self, conditioning: Conditioning | None) -> None:
        self.sample_parts: list[ConditioningPart] = []
        self.frame_part: ConditioningPart | None = None
        self.constant_parts: list[ConditioningPart] = []
        self.sample_columns: list[int] = []
        self.frame_columns: list[int] = []
        self.constant_columns: list[int] = []
        self.hop_samples, self.kernel = 0, torch.zeros(3, 0)
        first = 0
        for index, part in enumerate(conditioning.parts if conditioning is not None else ()):
            if not isinstance(part, ConditioningPart):
                raise Unsupported(f"conditioning.parts.{index} is a {type(part).__name__} of unknown rate")
            columns = range(first, first + part.channels)
            first += part.channels
            if part.hop_samples and self.hop_samples not in (0, part.hop_samples):
                raise Unsupported(
                    f"conditioning.parts.{index} has {part.hop_samples} samples per frame, another part has "
                    f"{self.hop_samples}"
                )
            self.hop_samples = part.hop_samples or self.hop_samples
            if part.rate == "constant":
                self.constant_parts.append(part)
                self.constant_columns += columns
            elif part.rate == "frame" and part.commutes and self.frame_part is None:
                self.frame_part, self.kernel = part, part.kernel.detach().float().cpu()
                self.frame_columns += columns
            else:
                self.sample_parts.append(part)
                self.sample_columns += columns

    def constants(self, context: SpeechContext | None, batch_size: int) -> Tensor:
        """The channels that are constant in time, ``(batch, constant channels)``."""
        embedded = [part(context, 1)[..., 0].float().cpu() for part in self.constant_parts]
        return torch.cat(embedded, 1) if embedded else torch.zeros(batch_size, 0)

    def num_windows(self, num_samples: int) -> int:
        """The number of windows that cover ``num_samples``."""
        return -(-num_samples // self.window_samples)

    @property
    def window_samples(self) -> int:
        """Samples of a window; the last may be shorter."""
        return WINDOW_FRAMES * (self.hop_samples or 64)

    def window(self, context: SpeechContext | None, index: int, num_samples: int, batch_size: int) -> Window:
        """The window number ``index`` of a batch whose longest utterance has ``num_samples``."""
        start = index * self.window_samples
        stop = min(start + self.window_samples, num_samples)
        samples, frames = torch.zeros(batch_size, stop - start, 0), torch.zeros(batch_size, 0, 0)
        if self.hop_samples:
            check_length(context, num_samples, self.hop_samples)
            first, last = start // self.hop_samples, -(-stop // self.hop_samples)
            # One more frame on each side if it exists; at the ends the parts repeat their last frame.
            before, after = min(first, 1), LOOKAHEAD_FRAMES
            excerpt = context.cut(first - before, last + after) if context else None
            if self.sample_parts:
                begin = before * self.hop_samples
                whole = torch.cat(
                    [part(excerpt, begin + stop - start).float().cpu() for part in self.sample_parts], dim=1
                )
                samples = whole[..., begin:].transpose(1, 2).contiguous()
            if self.frame_part is not None:
                channels = self.frame_part.at_frame_rate(excerpt).float().cpu()
                ends = (1 - before, max(0, last + after - first + before - channels.shape[-1]))
                frames = nn.functional.pad(channels, ends, mode="replicate").transpose(1, 2).contiguous()
        return Window(start, stop, samples, frames)


def check_length(context: SpeechContext | None, num_samples: int, hop_samples: int) -> None:
    """
    Raises:
        UserError: if the frames of the context cover fewer than ``num_samples``.
    """
    if context and context.num_frames * hop_samples < num_samples:
        raise UserError(
            f"the context covers {context.num_frames * hop_samples} samples ({context.num_frames} frames), "
            f"expected at least {num_samples}"
        )
