"""Selects the weights of the validation with the lowest dev cost, because small data sets are overfitted."""

from collections.abc import Mapping
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor, nn

from wavegen.training.averaging import PolyakAverage


class BestOnDev(lightning.Callback):
    """Stores the averaged weights of the validation with the lowest mean cost.

    They are saved in the checkpoint. A separate file could be from a later step than the checkpoint that a
    run resumes from, a step that the resumed run may never reach.

    Args:
        model: the part of the trained module whose weights are stored.
    """

    before = (PolyakAverage,)  # which removes the averaged weights at the end of a validation

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.cost = float("inf")
        self.step: int | None = None
        self.weights: dict[str, Tensor] = {}
        self._total = self._count = 0.0

    def on_validation_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._total = self._count = 0.0

    def on_validation_batch_end(
        self, trainer, module, outputs: STEP_OUTPUT, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """``outputs`` are the module's: the batch's mean ``cost`` and its ``size``."""
        assert isinstance(outputs, Mapping)
        self._total += float(outputs["cost"]) * outputs["size"]
        self._count += outputs["size"]

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        own = torch.tensor(self._total / self._count, dtype=torch.float64, device=module.device)
        cost = float(trainer.strategy.reduce(own, reduce_op="mean"))
        if cost < self.cost:
            self.cost, self.step = cost, trainer.global_step
            self.weights = {name: tensor.cpu().clone() for name, tensor in self.model.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"cost": self.cost, "step": self.step, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.cost, self.step, self.weights = (state_dict[name] for name in ("cost", "step", "weights"))

    def restore(self) -> None:
        """Load the best weights into the model; if no validation had a finite cost, do nothing."""
        if self.step is not None:
            self.model.load_state_dict(self.weights)
