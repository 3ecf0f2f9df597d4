r"""Adds upsampled frames to a signal at sample rate, with one kernel for all channels, and its gradient.

.. math:: y_{nH + i} \mathrel{+}= \sum_{j=-1}^{1} w[j, i] \, v_{n + j}, \qquad 0 \le i < H

Equivalent to :class:`~wavegen.nets.conditioning.SharedUpsampling` and a sum, in one pass over :math:`y`: a
small matrix product per frame that accumulates in place. Time-major, ``(batch, time, channels)``.
"""

import torch
from torch import Tensor


def repeat_ends(frames: Tensor) -> Tensor:
    """``(batch, frames, channels)`` with the first and the last frame repeated."""
    return torch.cat([frames[:, :1], frames, frames[:, -1:]], dim=1)


def add_frames_(y: Tensor, frames: Tensor, kernel: Tensor) -> Tensor:
    """Adds the upsampled ``frames`` to ``y (batch, time, channels)`` in place.

    Args:
        frames: ``(batch, frames + 2, channels)``, see :func:`repeat_ends`; they cover at least ``time``.
        kernel: ``(3, hop_samples)``.
    """
    hop_samples, time = kernel.shape[1], y.shape[1]
    whole, rest = divmod(time, hop_samples)
    around = frames.unfold(1, 3, 1).transpose(2, 3).contiguous()  # (batch, frames, 3, channels)
    for member, its_frames in zip(y, around, strict=True):
        blocks = member[: whole * hop_samples].unflatten(0, (whole, hop_samples))
        blocks.baddbmm_(kernel.t().expand(whole, -1, -1), its_frames[:whole])
        if rest:
            member[whole * hop_samples :].addmm_(kernel[:, :rest].t(), its_frames[whole])
    return y


def frames_gradient(grad: Tensor, frames: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`add_frames_` with respect to ``frames`` and ``kernel``, at least float32.

    ``grad`` is ``(batch, time, channels)``; its batch members need not be contiguous with each other.
    """
    hop_samples, time = kernel.shape[1], grad.shape[1]
    whole, rest = divmod(time, hop_samples)
    precise = torch.promote_types(frames.dtype, torch.float32)
    by_frames = torch.zeros(frames.shape, dtype=precise, device=frames.device)
    by_kernel = torch.zeros(kernel.shape, dtype=precise, device=kernel.device)
    around = frames.unfold(1, 3, 1)  # (batch, frames, channels, 3)
    for member, its_frames, by_its_frames in zip(grad, around, by_frames, strict=True):
        blocks = member[: whole * hop_samples].unflatten(0, (whole, hop_samples))
        by_around = torch.bmm(kernel.expand(whole, -1, -1), blocks)  # (frames, 3, channels)
        by_kernel += torch.bmm(blocks, its_frames[:whole]).sum(0, dtype=precise).t()
        if rest:
            last = member[whole * hop_samples :]
            by_around = torch.cat([by_around, (kernel[:, :rest] @ last).unsqueeze(0)])
            by_kernel[:, :rest] += (last @ its_frames[whole]).t()
        for j in range(3):
            by_its_frames[j : j + len(by_around)] += by_around[:, j]
    return by_frames, by_kernel


def plain_frame_sum(y: Tensor, frames: Tensor, kernel: Tensor) -> Tensor:
    """The same by plain autograd operations, not in place."""
    upsampled = torch.einsum("bncj,ji->bnic", frames.unfold(1, 3, 1), kernel).flatten(1, 2)
    return y + upsampled[:, : y.shape[1]]
