"""A base density pushed through a bijection."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.types import _size

from wavegen.distributions.batches import Context, context_size, fold_batch, join_batches, sum_last
from wavegen.errors import UserError
from wavegen.flows.bijection import Transform
from wavegen.flows.compose import separate


class Flow(nn.Module):
    """log p(x | context) = log p_base(f(x)) + log|det ∂f/∂x|.

    ``bijection`` is f: x → z (data to noise); for a model that generates in one pass hand over an
    ``.inv``. A ``Chain`` with surjections in it is taken as well: then log p is the sum of their terms, and
    a lower bound (in expectation) where ``bijection.is_bound``. ``base`` is a module or callable that maps
    the context to a distribution over z. ``forward(context)`` binds the context once and returns a
    ``FlowDistribution``.

    Raises ``UserError`` when bijection and base disagree about the rank or shape of an event, and for a
    bijection that is no ``Transform``.

    Rezende and Mohamed 2015 (arXiv 1505.05770); the review of Papamakarios et al. 2021 (1912.02762).
    """

    def __init__(self, *, bijection: Transform, base: Callable[[Context], Distribution]) -> None:
        super().__init__()
        if not isinstance(bijection, Transform):
            raise UserError(
                f"Flow: expected a bijection, or a chain of transforms, got {type(bijection).__name__}"
            )
        declared = getattr(base, "event_shape", None)
        if declared is not None:
            if len(declared) < bijection.latent_event_dim:
                raise UserError(
                    f"Flow: expected a base with events of at least {bijection.latent_event_dim} dimensions, "
                    f"as the bijection's, got event shape {tuple(declared)}"
                )
            bijection.inverse_shape(declared)
        self.bijection = bijection
        self.base = base

    @property
    def is_bound(self) -> bool:
        """Whether ``log_prob`` is a stochastic lower bound of log p instead of its value."""
        return self.bijection.is_bound

    def forward(self, context: Context = None) -> "FlowDistribution":
        return FlowDistribution(self.bijection, self.base(context), context)

    # What a density may offer beside its distribution (``models/density.py``).

    def prior(self, context: Context = None) -> Distribution:
        """The base's distribution of z."""
        return self.base(context)

    def latents(self, x: Tensor, context: Context = None) -> Tensor:
        """z = f(x); where there is dequantisation, of one draw of its noise."""
        return self.bijection(x, context)[0]

    def decode(self, z: Tensor, context: Context = None) -> Tensor:
        """x = g(z), whole levels where there is dequantisation."""
        return self.bijection.inverse(z, context)[0]

    def reconstruct(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """(y, g(f(y))), where y is x as it leaves dequantisation, else x itself."""
        before, rest = separate(self.bijection)
        y = x if before is None else before(x, context)[0]
        return y, rest.inverse(rest(y, context)[0], context)[0]

    def reconstruct_draws(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """(y, g(f(y))) for y = g(z), in front of dequantisation."""
        _, rest = separate(self.bijection)
        y = rest.inverse(z, context)[0]
        return y, rest.inverse(rest(y, context)[0], context)[0]

    def interpolate(
        self,
        first: Tensor,
        last: Tensor,
        weights: Sequence[float],
        context: Context = None,
        last_context: Context = None,
    ) -> Tensor:
        """Events on the straight line between the latents of two, ``(weights, batch) + event``.

        A context is that of the nearer end; without ``last_context`` both ends have the first one's.
        """
        last_context = context if last_context is None else last_context
        start, end = self.latents(first, context), self.latents(last, last_context)
        return torch.stack(
            [
                self.decode(torch.lerp(start, end, weight), context if weight < 0.5 else last_context)
                for weight in weights
            ]
        )


class FlowDistribution(Distribution):
    """The density of a flow at one context. The event is what the bijection makes of the base's; the batch is
    the context's, else the base's.

    Bijections always see exactly one batch dimension: sample and batch dimensions are folded into it, and the
    context (a tensor or a mapping of tensors, batch in dimension 0) is repeated for every draw.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(self, bijection: Transform, base: Distribution, context: Context = None) -> None:
        self.bijection = bijection
        self.base = base
        self.context = context
        batch_shape = base.batch_shape
        if context is not None:
            batch_shape = join_batches((context_size(context),), batch_shape)
        event_shape = bijection.inverse_shape(base.event_shape)
        super().__init__(batch_shape, event_shape, validate_args=False)

    def _call(
        self, function: Callable, value: Tensor, event_shape: torch.Size, own_rank: int
    ) -> tuple[Tensor, Tensor]:
        """A direction of the bijection over events of ``event_shape``, itself acting on ``own_rank``."""
        rank = len(event_shape)
        if value.dim() < rank or value.shape[value.dim() - rank :] != event_shape:
            raise UserError(
                f"FlowDistribution: expected events of shape {tuple(event_shape)}, got a value of shape "
                f"{tuple(value.shape)}"
            )
        lead = join_batches(value.shape[: value.dim() - rank], self.batch_shape)
        folded, context = fold_batch(value.expand(lead + event_shape), rank, self.context)
        result, term = function(folded, context)
        term = sum_last(term, rank - own_rank)
        return result.reshape(lead + result.shape[1:]), term.reshape(lead)

    def normalise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z = f(x) and its term of log p(x), for x of shape ``… + event_shape``, whose leading dimensions
        broadcast against the batch. Raises ``UserError`` where they do not, and for another event.
        """
        return self._call(self.bijection, x, self.event_shape, self.bijection.event_dim)

    def generate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x = g(z) and log|det ∂g/∂z|, for z of shape ``… + base.event_shape``, otherwise as x above."""
        own_rank = self.bijection.latent_event_dim
        return self._call(self.bijection.inverse, z, self.base.event_shape, own_rank)

    def log_prob(self, value: Tensor) -> Tensor:
        z, term = self.normalise(value)
        return self.base.log_prob(z) + term

    def _noise(self, sample_shape: _size) -> Tensor:
        missing = self.batch_shape[: len(self.batch_shape) - len(self.base.batch_shape)]
        return self.base.rsample(torch.Size(sample_shape) + missing)

    def rsample_and_log_prob(
        self,
        sample_shape: _size = torch.Size(),  # noqa: B008
    ) -> tuple[Tensor, Tensor]:
        """Draws x = g(z) and their log-densities log p_base(z) − log|det ∂g/∂z|, from one pass of g."""
        z = self._noise(sample_shape)
        x, log_det = self.generate(z)
        return x, self.base.log_prob(z) - log_det

    def rsample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        return self.generate(self._noise(sample_shape))[0]

    @torch.no_grad()
    def sample(
        self,
        sample_shape: _size = torch.Size(),  # noqa: B008
        temperature: float = 1.0,
    ) -> Tensor:
        """Draws g(temperature · z), z from the base.

        Raises ``UserError`` for a temperature other than 1 over a base whose mean is not 0, where the
        product means nothing.
        """
        z = self._noise(sample_shape)
        if temperature != 1:
            if self.base.mean.count_nonzero():
                raise UserError(
                    f"sample: expected temperature 1 over a base whose mean is not 0, got {temperature}"
                )
            z = temperature * z
        return self.generate(z)[0]
