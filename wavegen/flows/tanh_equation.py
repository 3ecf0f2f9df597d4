"""The scalar equation of planar and Sylvester flows: p + (s − 1) tanh p = c, s > 0."""

import torch
from torch import Tensor

from wavegen.distributions.fixed_point import all_true


def tanh_slope(tanh: Tensor, slope: Tensor) -> Tensor:
    """d/dp [p + (s − 1) tanh p] = 1 + (s − 1) (1 − t²), computed as t² + s (1 − t²): positive, without
    cancellation."""
    square = tanh.square()
    return square + slope * (1 - square)


def tanh_root(target: Tensor, slope: Tensor) -> Tensor:
    """Solves p + (s − 1) tanh p = target, differentiable in both: one recorded Newton step at the solution.

    The step, with its slope treated as a constant, has the gradient of the implicit function and also
    improves the last digit. First derivatives are exact; second derivatives through the step are not.
    """
    root = solve_tanh_equation(target, slope)
    if not torch.is_grad_enabled():
        return root
    tanh = torch.tanh(root)
    residual = root + (slope - 1) * tanh - target
    return root - residual / tanh_slope(tanh, slope).detach()


@torch.no_grad()
def solve_tanh_equation(target: Tensor, slope: Tensor, max_iterations: int = 100) -> Tensor:
    """The root to the precision of the dtype, without gradient. The left side increases in p for s > 0.

    The left side is odd, so the root has the sign of the target. On p ≥ 0 it is concave for s ≥ 1 and convex
    for s ≤ 1. The bracket is |target| − (s − 1) … |target|, cut at 0. Newton's method starts from the end
    of the bracket on the flatter side of the root; it approaches the root from that side and stays inside.
    """
    distance, excess = target.abs(), slope - 1
    resolution = 4 * torch.finfo(distance.dtype).eps
    p = (distance - excess).clamp(min=0)
    for _ in range(max_iterations):
        tanh = torch.tanh(p)
        residual = p + excess * tanh - distance
        if all_true((residual.abs() <= resolution * (p + distance)) | residual.isnan()):
            break
        p = (p - residual / tanh_slope(tanh, slope)).clamp(min=0)
    return p * target.sign()
