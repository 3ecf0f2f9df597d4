"""What the Lightning modules share: optimiser, schedule, and a stop on numbers that are none."""

from collections.abc import Callable, Iterable

import lightning
import torch
from torch import Tensor, nn

from wavegen.errors import UserError


class TrainingModule(lightning.LightningModule):
    """A Lightning module with an injected optimiser and schedule.

    Args:
        optimizer: builds the optimiser from parameters.
        schedule: builds a per-step learning-rate schedule from the optimiser; None for a constant rate.
    """

    def __init__(
        self,
        *,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        schedule: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler] | None = None,
    ) -> None:
        super().__init__()
        self._optimizer, self._schedule = optimizer, schedule

    def configure_optimizers(self) -> dict:
        optimizer = self._optimizer(p for p in self.parameters() if p.requires_grad)
        if self._schedule is None:
            return {"optimizer": optimizer}
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self._schedule(optimizer), "interval": "step"},
        }

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

    def log_all(self, stage: str, values: dict[str, Tensor | float], batch_size: int) -> None:
        """Log ``stage/name`` for every entry; dev values are averaged over batches and processes."""
        self.log_dict(
            {f"{stage}/{name}": value for name, value in values.items()},
            batch_size=batch_size,
            sync_dist=stage != "train",
        )
