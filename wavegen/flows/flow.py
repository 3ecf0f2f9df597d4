"""A base density pushed through a bijection."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.errors import UserError
from wavegen.flows.bijection import Context, Transform, sum_last


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

    def _noise(self, sample_shape: torch.Size) -> Tensor:
        missing = self.batch_shape[: len(self.batch_shape) - len(self.base.batch_shape)]
        return self.base.rsample(torch.Size(sample_shape) + missing)

    def rsample_and_log_prob(
        self,
        sample_shape: torch.Size = torch.Size(),  # noqa: B008
    ) -> tuple[Tensor, Tensor]:
        """Draws x = g(z) and their log-densities log p_base(z) − log|det ∂g/∂z|, from one pass of g."""
        z = self._noise(sample_shape)
        x, log_det = self.generate(z)
        return x, self.base.log_prob(z) - log_det

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        return self.generate(self._noise(sample_shape))[0]

    @torch.no_grad()
    def sample(
        self,
        sample_shape: torch.Size = torch.Size(),  # noqa: B008
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


def context_size(context: Tensor | Mapping[str, Tensor]) -> int:
    """The batch size of a context. Raises ``UserError`` when its tensors disagree, or are none."""
    named = context if isinstance(context, Mapping) else {"context": context}
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor) or tensor.dim() == 0:
            got = f"shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
            raise UserError(f"context: expected tensors with the batch in dimension 0, got {got} for {name}")
    sizes = {name: tensor.shape[0] for name, tensor in named.items()}
    if len(set(sizes.values())) != 1:
        raise UserError(f"context: expected one batch size in dimension 0 of every tensor, got {sizes}")
    return next(iter(sizes.values()))


def join_batches(given: Sequence[int], batch_shape: Sequence[int]) -> torch.Size:
    """The shape that both broadcast to. Raises ``UserError`` where they do not."""
    for size, expected in zip(reversed(given), reversed(batch_shape), strict=False):
        if size != expected and 1 not in (size, expected):
            raise UserError(
                f"batch: expected a shape that broadcasts against {tuple(batch_shape)}, the distribution's "
                f"(of its context, else of its base), got {tuple(given)}"
            )
    return torch.broadcast_shapes(given, batch_shape)


def fold_batch(value: Tensor, event_rank: int, context: Context) -> tuple[Tensor, Context]:
    """Flattens the dimensions before the event into one, the batch fastest, and repeats the context."""
    folded = value.reshape((-1,) + value.shape[value.dim() - event_rank :])
    if context is None:
        return folded, None
    size = context_size(context)
    if folded.shape[0] % size:
        raise UserError(f"context: expected a batch that divides {folded.shape[0]} values, got {size}")
    repeats = folded.shape[0] // size

    def repeat(tensor: Tensor) -> Tensor:
        return tensor.repeat((repeats,) + (1,) * (tensor.dim() - 1)) if repeats != 1 else tensor

    if isinstance(context, Mapping):
        return folded, {name: repeat(tensor) for name, tensor in context.items()}
    return folded, repeat(context)
