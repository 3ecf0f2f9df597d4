"""Solves x = G(x) if element i of G depends only on elements before i, for autoregressive inversion."""

from collections.abc import Callable

import torch
from torch import Tensor


def all_true(mask: Tensor) -> bool:
    """Whether an iteration may stop, because all its elements are finished.

    Always false inside a transform of ``torch.func``, such as ``vmap``, where no value can be read. The
    iteration then runs to its maximum.
    """
    return not torch._C._are_functorch_transforms_active() and bool(mask.all())


def solve_triangular(update: Callable[[Tensor], Tensor], start: Tensor, max_passes: int) -> Tensor:
    """Iterates x ← update(x) until nothing changes, at most ``max_passes`` times.

    If the dependence is strictly triangular, in any order, pass k makes the first k elements final. After
    as many passes as the event has elements, all are final: Jacobi iteration on a nilpotent system, which
    is exact. Usually far fewer passes suffice, because the dependence on the past is weak. Elements that
    are not final yet may overflow. They are replaced by zeros before the next pass, because 0 · ∞ in a
    masked product would corrupt final elements.

    Song et al. 2021, "Accelerating feedforward computation via parallel nonlinear equation solving"
    (arXiv 2002.03629).
    """
    x = start
    for _ in range(max_passes):
        following = update(torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0))
        unchanged = following.dtype == x.dtype and following.shape == x.shape and all_true(following == x)
        x = following
        if unchanged:
            break
    return x
