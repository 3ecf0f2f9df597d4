"""The base of the Lightning modules: optimiser, schedule, and a stop on a NaN or infinite loss."""

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.training.budget import Budget
from wavegen.training.processes import end_other_processes, num_processes


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
        self._not_finite: str | None = None

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
        self._stop_together()  # before the gradients, which are those of all processes
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        self.check_finite("gradient norm", torch.nn.utils.get_total_norm(gradients))
        if self._not_finite is not None:
            self._stop_together()

    def on_validation_epoch_end(self) -> None:
        self._stop_together()

    def check_finite(self, term: str, value: Tensor) -> Tensor:
        """The value; raises UserError, naming step and term, if it is NaN or infinite.

        Several processes end before the next step, where they meet: if one ended at once, the others would
        wait for its gradients.
        """
        if not torch.isfinite(value) and self._not_finite is None:
            self._not_finite = f"the term '{term}' is {value.item()}, expected a finite number"
            if num_processes() == 1:
                self._stop(self._not_finite)
        return value

    def _stop_together(self) -> None:
        """If a value was not finite in one of several processes, raise UserError in the first one and end all
        others.
        """
        if num_processes() == 1:
            return
        if not self.trainer.strategy.reduce_boolean_decision(self._not_finite is not None, all=False):
            return
        found: list[str | None] = [None] * num_processes()
        torch.distributed.all_gather_object(found, self._not_finite)
        end_other_processes()
        rank, what = next((rank, what) for rank, what in enumerate(found) if what)
        self._stop(f"{what} in process {rank} of {len(found)}")

    def _stop(self, what: str) -> NoReturn:
        advice = "start another run with a lower learning rate"
        if self.global_step == 0:
            advice = "no step has been taken, so the term, the model or the data are the reason"
        raise UserError(f"training stopped at step {self.global_step}: {what}; {advice}")

    def log_all(self, stage: str, values: Mapping[str, Tensor | float], batch_size: int) -> None:
        """Log ``stage/name`` for every entry; dev values are averaged over batches and processes."""
        self.log_dict(
            {f"{stage}/{name}": value for name, value in values.items()},
            batch_size=batch_size,
            sync_dist=stage != "train",
        )
