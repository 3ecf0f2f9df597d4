"""Solving x = G(x) where element i of G looks only at elements before i: autoregressive inversion."""

from collections.abc import Callable

import torch
from torch import Tensor


def solve_triangular(update: Callable[[Tensor], Tensor], start: Tensor, max_passes: int) -> Tensor:
    """Iterates x ← update(x) until nothing changes any more, at most ``max_passes`` times.

    With strictly triangular dependence, in whatever order, pass k makes the first k elements final; after
    as many passes as the event has elements all are (Jacobi iteration on a nilpotent system: exact, not
    approximate). It is usually over much earlier, where the dependence on the past is weak. What is not
    final may overflow on the way; it is replaced by zeros before the next pass, since 0 · ∞ inside a
    masked product would spoil elements that are final.

    Song et al. 2021, "Accelerating feedforward computation via parallel nonlinear equation solving"
    (arXiv 2002.03629).
    """
    x = start
    for _ in range(max_passes):
        following = update(torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0))
        unchanged = following.dtype == x.dtype and torch.equal(following, x)
        x = following
        if unchanged:
            break
    return x
