"""A flow: a base density transformed by a bijection."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.types import _size

from wavegen.distributions.batches import (
    Context,
    ContextRank,
    context_batch,
    fold_batch,
    fold_context,
    join_batches,
    sum_last,
)
from wavegen.errors import UserError
from wavegen.flows.bijection import Transform
from wavegen.flows.compose import separate
from wavegen.flows.masked.generator import MaskedGenerator


class Flow(nn.Module):
    """log p(x | context) = log p_base(f(x)) + log|det ∂f/∂x|.

    ``bijection`` is f: x → z (data to noise); pass an ``.inv`` for a model that generates in one pass. A
    ``Chain`` with surjections is allowed; log p is then the sum of their terms, a lower bound in
    expectation if ``bijection.is_bound``. ``base`` is a module or callable that maps the context to a
    distribution over z. ``forward(context)`` returns a ``FlowDistribution`` with that context.

    ``context_rank`` is the number of trailing dimensions of one context, 1 for vectors; the dimensions before
    them, none or any number, are the batch shape. A mapping of ranks gives them by name for a mapping of
    tensors. None: the batch is dimension 0 of every tensor, whatever their ranks.

    Raises ``UserError`` if bijection and base have events of different rank or shape, or if the bijection is
    not a ``Transform``.

    Rezende and Mohamed 2015 (arXiv 1505.05770); the review of Papamakarios et al. 2021 (1912.02762).
    """

    def __init__(
        self,
        *,
        bijection: Transform,
        base: Callable[[Context], Distribution],
        context_rank: ContextRank = None,
    ) -> None:
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
                    f"to match the bijection, got event shape {tuple(declared)}"
                )
            bijection.inverse_shape(declared)
        self.bijection = bijection
        self.base = base
        self.context_rank = context_rank
        self._generator = MaskedGenerator()

    @property
    def is_bound(self) -> bool:
        """True if ``log_prob`` is a stochastic lower bound of log p instead of its value."""
        return self.bijection.is_bound

    def forward(self, context: Context = None) -> "FlowDistribution":
        base = self.base(context)
        return FlowDistribution(self.bijection, base, context, self.context_rank, self._generator)

    # Optional methods of a density (``models/density.py``).

    def prior(self, context: Context = None) -> Distribution:
        """The base distribution of z."""
        return self.base(context)

    def latents(self, x: Tensor, context: Context = None) -> Tensor:
        """z = f(x); with dequantisation, for one sample of its noise."""
        return self.bijection(x, context)[0]

    def decode(self, z: Tensor, context: Context = None) -> Tensor:
        """x = g(z); whole levels if the flow dequantises."""
        return self.bijection.inverse(z, context)[0]

    def reconstruct(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """(y, g(f(y))), where y is the dequantised x, or x itself without dequantisation."""
        before, rest = separate(self.bijection)
        y = x if before is None else before(x, context)[0]
        return y, rest.inverse(rest(y, context)[0], context)[0]

    def reconstruct_draws(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """(y, g(f(y))) for y = g(z), before rounding to whole levels."""
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
        """Events on the straight line between the latents of two events, ``(weights, batch) + event``.

        Each point uses the context of the nearer end. Without ``last_context`` both ends use ``context``.
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
    """The density of a flow for one context. The event shape follows from the base through the bijection;
    the batch shape is that of the context, or else of the base.

    Bijections always receive exactly one batch dimension: sample and batch dimensions are flattened into it,
    and the context (a tensor or a mapping of tensors, see ``Flow``) is repeated for every sample.

    ``generator`` is what ``sample`` uses instead of the bijection's inverse where it can; None: nowhere.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(
        self,
        bijection: Transform,
        base: Distribution,
        context: Context = None,
        context_rank: ContextRank = None,
        generator: MaskedGenerator | None = None,
    ) -> None:
        self.bijection = bijection
        self.base = base
        self._generator = generator
        batch_shape = join_batches(context_batch(context, context_rank), base.batch_shape)
        self.context = fold_context(context, batch_shape, context_rank)
        self._given = context, context_rank
        event_shape = bijection.inverse_shape(base.event_shape)
        super().__init__(batch_shape, event_shape, validate_args=False)

    def _call(
        self, function: Callable, value: Tensor, event_shape: torch.Size, own_rank: int
    ) -> tuple[Tensor, Tensor]:
        """Applies one direction of the bijection, of rank ``own_rank``, to events of ``event_shape``."""
        rank = len(event_shape)
        if value.dim() < rank or value.shape[value.dim() - rank :] != event_shape:
            raise UserError(
                f"FlowDistribution: expected events of shape {tuple(event_shape)}, got a value of shape "
                f"{tuple(value.shape)}"
            )
        lead = join_batches(value.shape[: value.dim() - rank], self.batch_shape)
        batch_shape = lead[len(lead) - len(self.batch_shape) :]
        context = self.context
        if batch_shape != self.batch_shape:  # a value of several members for one context
            context = fold_context(self._given[0], batch_shape, self._given[1])
        folded, context = fold_batch(value.expand(lead + event_shape), rank, context)
        result, term = function(folded, context)
        term = sum_last(term, rank - own_rank)
        return result.reshape(lead + result.shape[1:]), term.reshape(lead)

    def normalise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z = f(x) and its term of log p(x), for x of shape ``… + event_shape``. The leading dimensions
        broadcast against the batch. Raises ``UserError`` if they do not, or if the event shape differs.
        """
        return self._call(self.bijection, x, self.event_shape, self.bijection.event_dim)

    def generate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x = g(z) and log|det ∂g/∂z|, for z of shape ``… + base.event_shape``; else as ``normalise``."""
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
        """Samples x = g(z) and their log-densities log p_base(z) − log|det ∂g/∂z|, in one pass of g."""
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
        """Samples g(temperature · z), z from the base, without gradients.

        Large draws of masked autoregressive flows on the CPU are generated with the work of one pass of each
        net (``flows/masked/``): those for which the passes of the inverse, one per element, would need
        4 · 10⁹ multiplications, which take 0.1 to 0.7 s on one core. The first of them on a machine compiles
        for some seconds. Smaller draws, and other flows, use the inverse. The noise is the same, and samples
        agree up to rounding.

        Raises ``UserError`` if the temperature is not 1 and the mean of the base is not 0, because the
        product then has no meaning.
        """
        z = self._noise(sample_shape)
        if temperature != 1:
            if self.base.mean.count_nonzero():
                raise UserError(
                    f"sample: expected temperature 1 over a base whose mean is not 0, got {temperature}"
                )
            z = temperature * z
        own_rank = self.bijection.latent_event_dim
        return self._call(self._generate_alone, z, self.base.event_shape, own_rank)[0]

    def _generate_alone(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """x = g(z); its log-determinant is zero, and not computed, where the inverse was not needed."""
        x = None if self._generator is None else self._generator(self.bijection, z, context)
        if x is None:
            return self.bijection.inverse(z, context)
        return x, z.new_zeros(z.shape[: z.dim() - self.bijection.latent_event_dim])
