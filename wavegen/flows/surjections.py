"""Surjective and stochastic layers: slice, augment, absolute value.

From Nielsen et al. 2020, SurVAE flows (arXiv 2007.02731). Each docstring gives the log-likelihood term, and
says whether log p(x) = log p(z) + term is exact or a lower bound in expectation over the layer's noise.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from wavegen.distributions.batches import Context, sum_last
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.bijection import Transform, require_rank
from wavegen.flows.draws import ConditionalDraw, Reader, value_alone


class _Resizing(Transform):
    """Shared code of slice and augment, which change the size of the first dimension of the event."""

    def __init__(self, event_dim: int) -> None:
        super().__init__()
        if event_dim < 1:
            raise UserError(f"{type(self).__name__}: expected event_dim of at least 1, got {event_dim}")
        self.event_dim = event_dim

    def _resized(self, event_shape: Sequence[int], from_size: int | None, to_size: int) -> torch.Size:
        require_rank(self, event_shape, self.event_dim)
        axis = len(event_shape) - self.event_dim
        if from_size is not None and event_shape[axis] != from_size:
            raise UserError(
                f"{type(self).__name__}: expected {from_size} entries in dimension −{self.event_dim}, got "
                f"an event of shape {tuple(event_shape)}"
            )
        return torch.Size((*event_shape[:axis], to_size, *event_shape[axis + 1 :]))


class Slice(_Resizing):
    """x = (z, d) → z: keeps the first ``num_kept`` entries and drops the next ``num_dropped``; exact.

    Term: log p(d | z), because (z, d) ↔ x is the identity and log p(x) = log p(z) + log p(d | z).
    ``inverse`` samples d ~ p(d | z) and returns −log p(d | z). The first dimension of the event is sliced:
    features of a vector (``event_dim=1``), channels of an image (3).

    Both directions cost one evaluation of the prior.

    ``prior`` is p(d | z): a module or callable that maps z, of shape ``(batch, *event)``, to a distribution
    of events of d's shape. With ``reader=with_context`` it is p(d | z, context), and gets a mapping of both.

    Raises ``UserError`` if the event has another size or the prior another event shape.
    """

    def __init__(
        self,
        num_kept: int,
        num_dropped: int,
        *,
        prior: Callable[[Any], Distribution],
        event_dim: int = 1,
        reader: Reader = value_alone,
    ) -> None:
        super().__init__(event_dim)
        if num_kept < 1 or num_dropped < 1:
            raise UserError(
                f"Slice: expected at least 1 entry kept and 1 dropped, got {num_kept} and {num_dropped}"
            )
        self.num_kept = num_kept
        self.num_dropped = num_dropped
        self.prior, self.reader = prior, reader

    def _prior(self, kept: Tensor, context: Context) -> ConditionalDraw:
        event_shape = list(kept.shape[kept.dim() - self.event_dim :])
        event_shape[0] = self.num_dropped
        return ConditionalDraw(
            self.prior, kept, event_shape, owner="Slice", context=context, reader=self.reader
        )

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.forward_shape(x.shape)
        kept, dropped = x.split([self.num_kept, self.num_dropped], x.dim() - self.event_dim)
        return kept, self._prior(kept, context).log_prob(dropped)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.inverse_shape(z.shape)
        dropped, log_prob = self._prior(z, context).draw()
        return torch.cat([z, dropped], z.dim() - self.event_dim), -log_prob

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self._resized(event_shape, self.num_kept + self.num_dropped, self.num_kept)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self._resized(event_shape, self.num_kept, self.num_kept + self.num_dropped)

    def extra_repr(self) -> str:
        return f"num_kept={self.num_kept}, num_dropped={self.num_dropped}, event_dim={self.event_dim}"


class Augment(_Resizing):
    """x → z = (x, u), u ~ q(u | x): appends ``num_extra`` entries for more expressive maps; a lower bound.

    Term: −log q(u | x). log p(x) = log ∫ p(x, u) du ≥ E_q [log p(x, u) − log q(u | x)], with equality if q
    is the model's posterior of u. ``inverse`` drops u, exactly, and returns log q(u | x), which costs one
    evaluation of q. The entries are appended to the first dimension of the event.

    ``noise`` is q: a module or callable that maps x, of shape ``(batch, *event)``, to a distribution of
    events of u's shape. With ``reader=with_context`` it is q(u | x, context), and gets a mapping of both.

    Raises ``UserError`` if the event is too small to drop u from, or if the noise has another event shape.

    Huang et al. 2020, augmented normalizing flows (arXiv 2002.07101); Chen et al. 2020, VFlow (2002.09741).
    """

    is_bound = True

    def __init__(
        self,
        num_extra: int,
        *,
        noise: Callable[[Any], Distribution],
        event_dim: int = 1,
        reader: Reader = value_alone,
    ) -> None:
        super().__init__(event_dim)
        if num_extra < 1:
            raise UserError(f"Augment: expected num_extra of at least 1, got {num_extra}")
        self.num_extra = num_extra
        self.noise, self.reader = noise, reader

    def _noise(self, x: Tensor, context: Context) -> ConditionalDraw:
        event_shape = list(x.shape[x.dim() - self.event_dim :])
        event_shape[0] = self.num_extra
        return ConditionalDraw(
            self.noise, x, event_shape, owner="Augment", context=context, reader=self.reader
        )

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        require_rank(self, x.shape, self.event_dim)
        extra, log_q = self._noise(x, context).draw()
        return torch.cat([x, extra], x.dim() - self.event_dim), -log_q

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.inverse_shape(z.shape)
        num_kept = z.shape[z.dim() - self.event_dim] - self.num_extra
        x, extra = z.split([num_kept, self.num_extra], z.dim() - self.event_dim)
        return x, self._noise(x, context).log_prob(extra)

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, self.event_dim)
        size = event_shape[len(event_shape) - self.event_dim]
        return self._resized(event_shape, None, size + self.num_extra)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, self.event_dim)
        size = event_shape[len(event_shape) - self.event_dim]
        if size <= self.num_extra:
            raise UserError(
                f"Augment: expected more than {self.num_extra} entries in dimension −{self.event_dim}, got "
                f"shape {tuple(event_shape)}"
            )
        return self._resized(event_shape, None, size - self.num_extra)

    def extra_repr(self) -> str:
        return f"num_extra={self.num_extra}, event_dim={self.event_dim}"


class AbsoluteValue(Transform):
    """x → z = |x|, elementwise; exact over a base on the positive numbers.

    Term: Σ log P(sign x_i | z). By default each P is ½ and the term −D log 2. ``inverse`` samples the signs.
    The sign of 0 counts as positive. Cost O(D) and one evaluation of the log-odds.

    ``sign_logit`` is a module or callable that maps z to the log-odds of a positive sign, of z's shape. The
    default is probability ½, a density symmetric about 0.

    Raises ``UserError`` if ``inverse`` gets negative values (not inside a compiled graph): a base with mass
    there is not a density of |x|, and log p(x) would miss that mass. Also raises it if the log-odds have
    another shape than z.
    """

    def __init__(self, *, sign_logit: Callable[[Tensor], Tensor] | None = None, event_dim: int = 0) -> None:
        super().__init__()
        self.sign_logit = sign_logit
        self.event_dim = event_dim

    def _logit(self, z: Tensor) -> Tensor:
        if self.sign_logit is None:
            return torch.zeros_like(z)
        logit = self.sign_logit(z)
        # a logit shared by several elements would be one sign, but would be counted once per element
        if logit.shape != z.shape:
            raise UserError(
                f"AbsoluteValue: expected log-odds of shape {tuple(z.shape)}, got {tuple(logit.shape)}"
            )
        return logit

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        require_rank(self, x.shape, self.event_dim)
        (x,) = at_least_float32(x)
        z = x.abs()
        return z, self._log_probability(torch.where(x < 0, -1.0, 1.0).to(x.dtype), self._logit(z))

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        require_rank(self, z.shape, self.event_dim)
        (z,) = at_least_float32(z)
        if not torch.compiler.is_compiling() and bool((z < 0).any()):
            raise UserError(f"AbsoluteValue: expected base values of at least 0, got {z.min().item()}")
        logit = self._logit(z)
        sign = torch.where(torch.rand_like(z) < torch.sigmoid(logit), 1.0, -1.0).to(z.dtype)
        return sign * z, -self._log_probability(sign, logit)

    def _log_probability(self, sign: Tensor, logit: Tensor) -> Tensor:
        return sum_last(F.logsigmoid(sign * logit), self.event_dim)

    def extra_repr(self) -> str:
        return f"event_dim={self.event_dim}"
