"""Casts that ensure that probabilities are computed in at least float32, also under autocast."""

import torch
from torch import Tensor


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Casts floating tensors to their common dtype, and to float32 if that is narrower.

    float16 and bfloat16 become float32; float64 stays float64. One cast at the start is enough under
    autocast, because the following elementwise operations and sums stay in float32.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)


def open_unit_interval(uniform: Tensor) -> Tensor:
    """Moves values of [0, 1] into the open interval. Generators return 0 once in 2^24 float32 draws, and a
    quantile function would map it to −∞. 0 becomes half the resolution of the generator, so that both ends
    of the interval reach equally far."""
    resolution = torch.finfo(uniform.dtype)
    return uniform.clamp(resolution.eps / 4, 1.0 - resolution.eps / 2)


def bounded_logit(uniform: Tensor) -> Tensor:
    """log(u / (1 − u)), finite for all u in [0, 1]."""
    uniform = open_unit_interval(uniform)
    return torch.log(uniform) - torch.log1p(-uniform)
