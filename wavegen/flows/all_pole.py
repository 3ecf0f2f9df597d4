"""The time-varying all-pole filter: the synthesis filter of linear prediction, with gradients."""

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def all_pole_filter(excitation: Tensor, taps: Tensor, hop_samples: int) -> Tensor:
    r"""Filters an excitation by one all-pole filter per frame.

    .. math:: x_t = e_t + \sum_{i=1}^{p} a_i[n_t]\, x_{t-i}, \qquad n_t = \lfloor t / H \rfloor,
              \quad x_{t<0} = 0

    Args:
        excitation: :math:`e`, ``(batch, time)``.
        taps: :math:`a`, ``(batch, frames, order)``; the frames cover the samples.
        hop_samples: :math:`H`, samples per frame.

    Returns:
        :math:`x`, ``(batch, time)``, differentiable once in both arguments.

    On a CPU, a compiled loop filters forwards and backwards, with sums in float64. Elsewhere, and in
    ``vmap``, :func:`filter_by_frames` is used.
    """
    if excitation.device.type == "cpu" and not torch._C._are_functorch_transforms_active():
        return _AllPole.apply(excitation, taps, hop_samples)
    return filter_by_frames(excitation, taps, hop_samples)


def filter_by_frames(excitation: Tensor, taps: Tensor, hop_samples: int) -> Tensor:
    """As :func:`all_pole_filter`, by matrix operations: on any device, with gradients of any order.

    Within a frame, :math:`(I - L) x = e + P s`, where the triangular matrix L and the matrix P contain the
    frame's taps and s the last samples before the frame. The systems of all frames are solved at once; only
    the product of a matrix and s remains sequential over frames.
    """
    batch, time = excitation.shape
    order, num_frames = taps.shape[-1], -(-time // hop_samples)
    padded = functional.pad(excitation, (0, num_frames * hop_samples - time))
    # Column j of a frame's band multiplies the sample j − order places after the frame's start.
    row = torch.arange(hop_samples, device=taps.device)[:, None]
    lag = row - (torch.arange(order + hop_samples, device=taps.device) - order)
    weights = taps[:, :num_frames, (lag - 1).clamp(0, order - 1)]
    band = torch.where((lag >= 1) & (lag <= order), weights, weights.new_zeros(()))
    past, within = band.split([order, hop_samples], -1)
    identity = torch.eye(hop_samples, dtype=taps.dtype, device=taps.device)
    right = torch.cat([padded.reshape(batch, num_frames, hop_samples, 1), past], -1)
    solved = torch.linalg.solve_triangular(identity - within, right, upper=False, unitriangular=True)
    state, frames = taps.new_zeros(batch, order), []
    for own, response in zip(solved[..., 0].unbind(1), solved[..., 1:].unbind(1), strict=True):
        frames.append(own + torch.einsum("bhp,bp->bh", response, state))
        state = torch.cat([state, frames[-1]], -1)[:, -order:]
    return torch.cat(frames, -1)[:, :time]


class _AllPole(torch.autograd.Function):
    """With the gradient g of x, the gradient of e_t is λ_t = g_t + Σ_i a_i[n_{t+i}] λ_{t+i}, and that of
    a_i[n] is Σ_t λ_t x_{t−i} over the samples t of frame n."""

    @staticmethod
    def forward(ctx: Any, excitation: Tensor, taps: Tensor, hop_samples: int) -> Tensor:
        dtype = torch.promote_types(excitation.dtype, taps.dtype)
        excitation, taps = excitation.to(dtype), taps.to(dtype).contiguous()
        output = np.empty(tuple(excitation.shape), excitation.numpy().dtype)
        _filter(excitation.contiguous().numpy(), taps.numpy(), hop_samples, output)
        result = torch.from_numpy(output)
        ctx.save_for_backward(taps, result)
        ctx.hop_samples = hop_samples
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        taps, result = ctx.saved_tensors
        of_excitation, of_taps = torch.empty_like(result), torch.empty_like(taps)
        _filter_backwards(
            gradient.contiguous().numpy(),
            result.numpy(),
            taps.numpy(),
            ctx.hop_samples,
            of_excitation.numpy(),
            of_taps.numpy(),
        )
        return of_excitation, of_taps, None


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _filter(excitation, taps, hop_samples, output):
    """``output`` is x; the past is in float64, oldest sample first, as are a frame's taps."""
    batch, time = excitation.shape
    order = taps.shape[2]
    past, reversed_taps = np.zeros(order + time), np.zeros(order)
    for row in range(batch):
        for first in range(0, time, hop_samples):
            for i in range(order):
                reversed_taps[order - 1 - i] = taps[row, first // hop_samples, i]
            for t in range(first, min(first + hop_samples, time)):
                total = 0.0
                for i in range(order):
                    total += reversed_taps[i] * past[t + i]
                past[order + t] = excitation[row, t] + total
                output[row, t] = past[order + t]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _filter_backwards(gradient, output, taps, hop_samples, of_excitation, of_taps):
    batch, time = output.shape
    order = taps.shape[2]
    adjoint, past = np.zeros(order + time), np.zeros(order + time)
    reversed_taps, sums = np.zeros(order), np.zeros(order)
    for row in range(batch):
        adjoint[:] = 0.0
        for t in range(time):
            adjoint[order + t] = gradient[row, t]
            past[order + t] = output[row, t]
        for frame in range(taps.shape[1] - 1, -1, -1):
            for i in range(order):
                reversed_taps[order - 1 - i] = taps[row, frame, i]
                sums[i] = 0.0
            for t in range(min((frame + 1) * hop_samples, time) - 1, frame * hop_samples - 1, -1):
                value = adjoint[order + t]
                of_excitation[row, t] = value
                for i in range(order):
                    adjoint[t + i] += reversed_taps[i] * value
                    sums[i] += past[t + i] * value
            for i in range(order):
                of_taps[row, frame, order - 1 - i] = sums[i]
