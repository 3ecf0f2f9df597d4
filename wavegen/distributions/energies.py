"""Unnormalised densities on the plane, as targets of variational inference."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wavegen.errors import UserError


class PlaneDensity:
    """p(x) = exp(log_density(x) − log_normaliser) on the plane.

    Training uses either ``log_density`` or samples. The normaliser, and the one of the two that training
    does not use, serve to measure divergences in absolute terms. Figures show the square ±``extent``.

    Shapes: ``x`` ``(..., 2)``, log-densities ``(...)`` in nats, in x's type.
    """

    log_normaliser: float = 0.0
    extent: float = 4.0

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) + log_normaliser."""
        raise NotImplementedError

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x)."""
        require_plane(self, x)
        return self.log_density(x) - self.log_normaliser

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Independent samples ``(num_samples, 2)`` float32, reproducible from the generator's state."""
        raise NotImplementedError


def require_plane(owner: PlaneDensity, x: Tensor) -> None:
    """Raises ``UserError`` if ``x`` does not hold points of the plane."""
    if x.dim() == 0 or x.shape[-1] != 2:
        raise UserError(f"{type(owner).__name__}: expected points of shape (..., 2), got {tuple(x.shape)}")


class TwoCrescents(PlaneDensity):
    """U₁ of Rezende and Mohamed: a ring of radius 2, restricted to two crescents near x₁ = ±2.

    log p̃(x) = −½ ((‖x‖ − 2) / 0.4)² + log(exp(−½ ((x₁ − 2) / 0.6)²) + exp(−½ ((x₁ + 2) / 0.6)²)).

    The normaliser is a quadrature in polar coordinates, exact to float64: the trapezoidal rule converges
    geometrically over the angle, and over the radius the integrand vanishes at both ends. Sampling is by
    rejection from the uniform density on [−5, 5]², which contains all but 1e-12 of the mass.

    Rezende and Mohamed 2015 (arXiv 1505.05770), table 1.
    """

    def __init__(self) -> None:
        radius, step = torch.linspace(0, 8, 4001, dtype=torch.float64), 8 / 4000
        angle = torch.arange(512, dtype=torch.float64) * (2 * math.pi / 512)
        circle = torch.stack([angle.cos(), angle.sin()], -1)
        log_mass = self.log_density(radius.view(-1, 1, 1) * circle) + radius.log().view(-1, 1)
        self.log_normaliser = float(log_mass.flatten().logsumexp(0)) + math.log(step * 2 * math.pi / 512)

    def log_density(self, x: Tensor) -> Tensor:
        ring = -0.5 * ((x.norm(dim=-1) - 2) / 0.4).square()
        first, second = (-0.5 * ((x[..., 0] - side) / 0.6).square() for side in (2, -2))
        return ring + torch.logaddexp(first, second)

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        kept, count = [], 0
        while count < num_samples:
            proposed = 10 * torch.rand(32 * num_samples, 2, generator=generator) - 5
            height = torch.rand(len(proposed), generator=generator)
            kept.append(proposed[height < self.log_density(proposed).exp()])  # p̃ is at most 1 + 3e-10
            count += len(kept[-1])
        return torch.cat(kept)[:num_samples]


class Waves(PlaneDensity):
    """U₂, U₃ and U₄ of Rezende and Mohamed: wave-shaped strips along x₁, made integrable.

    log p̃(x) = −½ (x₁ / s)² + log Σ_k exp(−½ ((x₂ − m_k(x₁)) / σ_k)²), m_k = ``centres``, σ_k = ``scales``.

    The energies of the paper do not decay along x₁, so they have no normaliser on the plane. Here a normal
    with standard deviation s = ``envelope`` makes them integrable: log ∫ p̃ = log(2π s Σ_k σ_k) exactly. A
    sample takes x₁ from that normal, a strip with probability proportional to σ_k, and x₂ from the normal
    of the strip.

    Raises ``UserError`` if there are not as many scales as centres.

    Rezende and Mohamed 2015 (arXiv 1505.05770), table 1.
    """

    extent = 5.0

    def __init__(
        self,
        *,
        centres: Sequence[Callable[[Tensor], Tensor]],
        scales: Sequence[float],
        envelope: float = 2.0,
    ) -> None:
        if len(centres) != len(scales):
            raise UserError(f"Waves: expected as many scales as centres, {len(centres)}, got {len(scales)}")
        self.centres, self.envelope = tuple(centres), envelope
        self.scales = torch.tensor(scales, dtype=torch.float64)
        self.log_normaliser = math.log(2 * math.pi * envelope * sum(scales))

    def log_density(self, x: Tensor) -> Tensor:
        along, across = x.unbind(-1)
        distance = torch.stack([across - centre(along) for centre in self.centres], -1)
        strips = -0.5 * (distance / self.scales.to(x)).square()
        return strips.logsumexp(-1) - 0.5 * (along / self.envelope).square()

    def sample(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        along = self.envelope * torch.randn(num_samples, generator=generator)
        strip = torch.multinomial(self.scales, num_samples, replacement=True, generator=generator)
        centre = torch.stack([centre(along) for centre in self.centres], -1)
        centre = centre.gather(-1, strip.unsqueeze(-1)).squeeze(-1)
        noise = torch.randn(num_samples, generator=generator)
        return torch.stack([along, centre + self.scales.float()[strip] * noise], -1)


def _wave(x: Tensor) -> Tensor:
    return torch.sin(0.5 * math.pi * x)


def _wave_less_a_bump(x: Tensor) -> Tensor:
    return _wave(x) - 3 * torch.exp(-0.5 * ((x - 1) / 0.6).square())


def _wave_less_a_step(x: Tensor) -> Tensor:
    return _wave(x) - 3 * F.sigmoid((x - 1) / 0.3)


def wave(envelope: float = 2.0) -> Waves:
    """U₂: one sine."""
    return Waves(centres=[_wave], scales=[0.4], envelope=envelope)


def split_wave(envelope: float = 2.0) -> Waves:
    """U₃: two strips that separate over part of the range."""
    return Waves(centres=[_wave, _wave_less_a_bump], scales=[0.35, 0.35], envelope=envelope)


def forked_wave(envelope: float = 2.0) -> Waves:
    """U₄: two strips that separate permanently."""
    return Waves(centres=[_wave, _wave_less_a_step], scales=[0.4, 0.35], envelope=envelope)
