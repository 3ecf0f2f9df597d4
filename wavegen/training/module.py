"""What the Lightning modules share: optimiser, schedule, and a stop on numbers that are none."""

from collections.abc import Callable, Iterable, Mapping

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.training.budget import Budget


class TrainingModule(lightning.LightningModule):
    """A Lightning module with an injected optimiser, schedule and budget.

    Args:
        optimizer: builds the optimiser from parameters.
        schedule: the learning rate of a step as a share of the optimiser's, by the progress at the step's end
            and by that at the first step's end; None for a constant rate.
        budget: what the training may take, which says how far it is.
    """

    def __init__(
        self,
        *,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        schedule: Callable[[float, float], float] | None = None,
        budget: Budget,
    ) -> None:
        super().__init__()
        self._optimizer, self._schedule, self.budget = optimizer, schedule, budget

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self._optimizer(p for p in self.parameters() if p.requires_grad)
        if self._schedule is None:
            return {"optimizer": optimizer}
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate_share(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def rate_share(self, step: int) -> float:
        """What the schedule says of the step behind ``step`` others."""
        return self._schedule(self.budget.progress(step + 1), 1 / self.budget.max_steps)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """A finite loss may have gradients that are not; they would poison weights and average alike."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        self.check_finite("gradient norm", torch.nn.utils.get_total_norm(gradients))

    def check_finite(self, term: str, value: Tensor) -> Tensor:
        """The value; a UserError names step and term where it is not finite. The last checkpoint stays."""
        if not torch.isfinite(value):
            raise UserError(
                f"training stopped at step {self.global_step}: the term '{term}' is {value.item()}; the last "
                f"good checkpoint is kept, resume from it with a lower learning rate"
            )
        return value

    def log_all(self, stage: str, values: Mapping[str, Tensor | float], batch_size: int) -> None:
        """Log ``stage/name`` for every entry; dev values are averaged over batches and processes."""
        self.log_dict(
            {f"{stage}/{name}": value for name, value in values.items()},
            batch_size=batch_size,
            sync_dist=stage != "train",
        )
