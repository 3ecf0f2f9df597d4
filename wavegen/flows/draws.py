"""A sample and its log-density from a distribution conditioned on part of the data."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from wavegen.errors import UserError


class ConditionalDraw:
    """q(· | condition), for conditions of any batch shape; conditions and samples have the same event rank.

    ``model`` is a module or callable that maps a condition with exactly one batch dimension to a
    distribution of batch shape ``(batch,)``, or ``()`` if it ignores the condition. ``owner`` is the name
    of the layer in error messages.

    Raises ``UserError`` if the batch or event shape of the model differs.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Distribution],
        condition: Tensor,
        event_shape: Sequence[int],
        *,
        owner: str,
    ) -> None:
        rank = len(event_shape)
        self.lead = condition.shape[: condition.dim() - rank]
        self.event_shape = torch.Size(event_shape)
        folded = condition.reshape(-1, *condition.shape[condition.dim() - rank :])
        self.distribution = model(folded)
        got = self.distribution.batch_shape, self.distribution.event_shape
        if got[0] not in (folded.shape[:1], torch.Size()) or got[1] != self.event_shape:
            raise UserError(
                f"{owner}: expected a model of events of shape {tuple(self.event_shape)} in a batch of "
                f"{folded.shape[0]}, got events of {tuple(got[1])} in a batch of shape {tuple(got[0])}"
            )
        self._missing = folded.shape[:1] if not got[0] else torch.Size()

    def draw(self) -> tuple[Tensor, Tensor]:
        """One reparametrised sample and its log-density; a flow computes both in one pass."""
        joint = getattr(self.distribution, "rsample_and_log_prob", None)
        if joint is not None:
            value, log_prob = joint(self._missing)
        else:
            value = self.distribution.rsample(self._missing)
            log_prob = self.distribution.log_prob(value)
        return value.reshape(self.lead + self.event_shape), log_prob.reshape(self.lead)

    def log_prob(self, value: Tensor) -> Tensor:
        folded = value.reshape((-1, *self.event_shape))
        return self.distribution.log_prob(folded).reshape(self.lead)
