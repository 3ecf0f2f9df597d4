"""Two-dimensional datasets with known density, so that the excess loss of a fit is known in nats.

All are within [−4, 4]² and similar to those of FFJORD (Grathwohl et al. 2019, arXiv 1810.01367); the noise
is changed where that gives a density in closed form.
"""

import math

import numpy as np
import torch
from torch import Tensor

from wavegen.distributions.energies import PlaneDensity

_LOG_TWO_PI = math.log(2 * math.pi)


class _Arcs(PlaneDensity):
    """x = c_k(t) + σ ε: k uniform over ``num_arcs``, t on (0, 1) of density a t^(a−1), ε standard normal.

    The density is an integral over t, by ``num_nodes`` Gauss–Legendre nodes per arc. Their distance is less
    than σ, so the error is below 1e-9 within the range. ``log_density`` costs O(num_arcs · num_nodes) per
    point.
    """

    num_arcs: int
    noise: float
    num_nodes: int
    growth: int = 1  # a

    def _arc(self, t: Tensor, arc: Tensor) -> Tensor:
        """c_arc(t), ``(...) -> (..., 2)``."""
        raise NotImplementedError

    def log_density(self, x: Tensor) -> Tensor:
        nodes, weights = np.polynomial.legendre.leggauss(self.num_nodes)
        t = torch.from_numpy(0.5 * (nodes + 1))
        mass = torch.from_numpy(0.5 * weights) * self.growth * t ** (self.growth - 1) / self.num_arcs
        arcs = torch.arange(self.num_arcs).unsqueeze(-1)
        centres = self._arc(t.expand(self.num_arcs, -1), arcs).flatten(0, 1).to(x)
        log_weights = mass.log().repeat(self.num_arcs).to(x)
        parts = []
        for points in x.reshape(-1, 2).split(4096):  # each chunk gives a matrix of points × nodes
            squares = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist").square()
            parts.append((log_weights - squares / (2 * self.noise**2)).logsumexp(-1))
        return torch.cat(parts).view(x.shape[:-1]) - _LOG_TWO_PI - 2 * math.log(self.noise)

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        arc = torch.randint(self.num_arcs, (num_samples,), generator=generator)
        t = torch.rand(num_samples, generator=generator) ** (1 / self.growth)
        centre = self._arc(t, arc)
        return centre + self.noise * torch.randn(num_samples, 2, generator=generator)


class Moons(_Arcs):
    """Two interlocking half circles of radius 1.7."""

    num_arcs, noise, num_nodes = 2, 0.17, 96

    def _arc(self, t: Tensor, arc: Tensor) -> Tensor:
        upper = torch.stack([torch.cos(math.pi * t) - 0.5, torch.sin(math.pi * t) - 0.25], -1)
        return 1.7 * torch.where((arc == 0).unsqueeze(-1), upper, -upper)


class TwoSpirals(_Arcs):
    """Two spirals of one and a half turns; each is the image of the other under x → −x."""

    num_arcs, noise, num_nodes, growth = 2, 0.12, 512, 2  # growth 2: uniform density along the length

    def _arc(self, t: Tensor, arc: Tensor) -> Tensor:
        angle = 3 * math.pi * t
        spiral = (angle / 3).unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], -1)
        return torch.where((arc == 0).unsqueeze(-1), spiral, -spiral)


class Rings(PlaneDensity):
    """Four rings: the radius is normal with mean 0.8, 1.6, 2.4 or 3.2, the angle uniform.

    A negative radius is the opposite point: p(x) = Σ_k ¼ [N(r; r_k, σ²) + N(−r; r_k, σ²)] / (2π r).
    """

    noise = 0.12

    def __init__(self) -> None:
        self.radii = torch.tensor([0.8, 1.6, 2.4, 3.2], dtype=torch.float64)

    def log_density(self, x: Tensor) -> Tensor:
        radius = x.norm(dim=-1).clamp(min=1e-12)
        signed = torch.stack([radius, -radius], -1).unsqueeze(-1)
        squares = ((signed - self.radii.to(x)) / self.noise).square().flatten(-2)
        log_radial = (-0.5 * squares).logsumexp(-1) - 0.5 * _LOG_TWO_PI - math.log(self.noise)
        return log_radial - math.log(len(self.radii)) - _LOG_TWO_PI - radius.log()

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        ring = torch.randint(len(self.radii), (num_samples,), generator=generator)
        radius = self.radii.float()[ring] + self.noise * torch.randn(num_samples, generator=generator)
        angle = 2 * math.pi * torch.rand(num_samples, generator=generator)
        return radius.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], -1)


class Pinwheel(PlaneDensity):
    """Five arms, x = 2 R(2π k / 5 + 0.9 ‖w‖) w with w ~ N((1, 0), diag(0.3², 0.1²)).

    The rotation angle depends on the radius only, so areas are preserved, and p(x) is the mean over k of w's
    density at the point rotated back.
    """

    num_arms, turn, scale = 5, 0.9, 2.0
    radial_noise, tangential_noise = 0.3, 0.1

    def log_density(self, x: Tensor) -> Tensor:
        w = x / self.scale
        arms = 2 * math.pi / self.num_arms * torch.arange(self.num_arms).to(x)
        w = _rotate(w.unsqueeze(-2), -self.turn * w.norm(dim=-1, keepdim=True) - arms)
        squares = ((w[..., 0] - 1) / self.radial_noise).square() + (
            w[..., 1] / self.tangential_noise
        ).square()
        log_area = math.log(self.radial_noise * self.tangential_noise * self.num_arms * self.scale**2)
        return (-0.5 * squares).logsumexp(-1) - _LOG_TWO_PI - log_area

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(num_samples, 2, generator=generator)
        w = noise * torch.tensor([self.radial_noise, self.tangential_noise]) + torch.tensor([1.0, 0.0])
        arm = torch.randint(self.num_arms, (num_samples,), generator=generator)
        return self.scale * _rotate(w, self.turn * w.norm(dim=-1) + 2 * math.pi / self.num_arms * arm)


class Checkerboard(PlaneDensity):
    """Uniform on the eight squares of one colour of a 4 × 4 board of side 8: log p = −log 32, or −∞."""

    def log_density(self, x: Tensor) -> Tensor:
        column, row = (x / 2).floor().unbind(-1)
        inside = ((column + row) % 2 == 0) & (x.abs() < 4).all(-1)
        return x.new_full(inside.shape, -math.log(32)).masked_fill(~inside, -math.inf)

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        column = torch.randint(-2, 2, (num_samples,), generator=generator)
        row = 2 * torch.randint(-1, 1, (num_samples,), generator=generator) + column % 2
        within = torch.rand(num_samples, 2, generator=generator)
        return 2 * (torch.stack([column, row], -1) + within)


class EightGaussians(PlaneDensity):
    """Eight equal normals of standard deviation ``noise`` on a circle of radius 2.8."""

    def __init__(self, *, noise: float = 0.35) -> None:
        angle = 2 * math.pi / 8 * torch.arange(8, dtype=torch.float64)
        self.noise = noise
        self.centres = 2.8 * torch.stack([angle.cos(), angle.sin()], -1)

    def log_density(self, x: Tensor) -> Tensor:
        squares = (x.unsqueeze(-2) - self.centres.to(x)).square().sum(-1) / self.noise**2
        return (-0.5 * squares).logsumexp(-1) - math.log(8) - _LOG_TWO_PI - 2 * math.log(self.noise)

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        chosen = torch.randint(8, (num_samples,), generator=generator)
        return self.centres.float()[chosen] + self.noise * torch.randn(num_samples, 2, generator=generator)


def _rotate(x: Tensor, angle: Tensor) -> Tensor:
    first, second = x.unbind(-1)
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([cosine * first - sine * second, sine * first + cosine * second], -1)
