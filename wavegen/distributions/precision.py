"""Probabilities are computed in float32 or better, whatever autocast made of the parameters."""

import torch
from torch import Tensor


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Casts floating tensors to their common type, and that to float32 if it is narrower.

    float16 and bfloat16 become float32, float64 stays float64. Casting once at the entrance is enough
    under autocast: what follows are elementwise operations and sums, which autocast leaves in float32.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)


def open_unit_interval(uniform: Tensor) -> Tensor:
    """Moves values of [0, 1] into the open interval: generators return 0 once in 2^24 float32 draws,
    and a quantile function would send it to minus infinity. Half the generator's resolution is as far out
    as the other end goes."""
    resolution = torch.finfo(uniform.dtype)
    return uniform.clamp(resolution.eps / 4, 1.0 - resolution.eps / 2)


def bounded_logit(uniform: Tensor) -> Tensor:
    """log(u / (1 − u)), finite on the whole of [0, 1]."""
    uniform = open_unit_interval(uniform)
    return torch.log(uniform) - torch.log1p(-uniform)
