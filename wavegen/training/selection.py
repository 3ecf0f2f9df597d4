"""Of all validations, the weights that cost least on dev: small sets are learned by heart in the end."""

from pathlib import Path

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from wavegen.models.bundle import load_weights, save_weights


class BestOnDev(lightning.Callback):
    """Keeps the averaged weights of the validation with the lowest mean cost in ``best.safetensors``.

    Stands in front of the average in the list of callbacks, which takes the averaged weights out again at the
    end of a validation. A resumed run knows the best so far from its checkpoint.

    Args:
        model: what is kept; a part of the module that is trained.
        folder: of the file.
    """

    def __init__(self, model: nn.Module, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.cost, self.step = float("inf"), None
        self._total = self._count = 0.0

    def on_validation_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._total = self._count = 0.0

    def on_validation_batch_end(
        self, trainer, module, outputs: dict, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """``outputs`` are the module's: the batch's mean ``cost`` and its ``size``."""
        self._total += float(outputs["cost"]) * outputs["size"]
        self._count += outputs["size"]

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        cost = torch.tensor(self._total / self._count, dtype=torch.float64, device=module.device)
        cost = float(trainer.strategy.reduce(cost, reduce_op="mean"))
        if cost < self.cost:
            self.cost, self.step = cost, trainer.global_step
            keep(self.folder, self.model)

    def state_dict(self) -> dict[str, float | int | None]:
        return {"cost": self.cost, "step": self.step}

    def load_state_dict(self, state_dict: dict[str, float | int | None]) -> None:
        self.cost, self.step = state_dict["cost"], state_dict["step"]

    def restore(self) -> None:
        """Give the model the best weights; those that it has where no validation came to a number."""
        if self.step is not None:
            load_weights(self.model, self.folder / "best.safetensors", self.folder)


@rank_zero_only
def keep(folder: Path, model: nn.Module) -> None:
    save_weights(folder, "best", model)
