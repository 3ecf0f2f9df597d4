"""The base of the Lightning modules: optimiser, schedule, and a stop on a NaN or infinite loss."""

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
        schedule: called with the progress at the end of a step and at the end of the first step; returns the
            step's learning rate as a share of the optimiser's. None for a constant rate.
        budget: the limits of the training; it also measures the progress.
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
        """The schedule's share of the learning rate for the step after ``step`` finished ones."""
        return self._schedule(self.budget.progress(step + 1), 1 / self.budget.max_steps)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Check the gradients too: a finite loss may have infinite gradients."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        self.check_finite("gradient norm", torch.nn.utils.get_total_norm(gradients))

    def check_finite(self, term: str, value: Tensor) -> Tensor:
        """The value; raises UserError, naming step and term, if it is NaN or infinite."""
        if not torch.isfinite(value):
            advice = "start another run with a lower learning rate"
            if self.global_step == 0:
                advice = "no step has been taken, so the term, the model or the data are the reason"
            raise UserError(
                f"training stopped at step {self.global_step}: the term '{term}' is {value.item()}, expected "
                f"a finite number; {advice}"
            )
        return value

    def log_all(self, stage: str, values: Mapping[str, Tensor | float], batch_size: int) -> None:
        """Log ``stage/name`` for every entry; dev values are averaged over batches and processes."""
        self.log_dict(
            {f"{stage}/{name}": value for name, value in values.items()},
            batch_size=batch_size,
            sync_dist=stage != "train",
        )
