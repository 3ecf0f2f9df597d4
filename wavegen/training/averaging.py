"""Polyak averaging of the weights."""

from typing import Any

import lightning
import torch
from torch import Tensor


class PolyakAverage(lightning.Callback):
    r"""Exponential moving average whose decay grows with the number of steps.

    .. math:: \bar w_{n+1} = \bar w_n + (1 - d_n)(w - \bar w_n), \qquad
              d_n = \min\left(d, \frac{1 + n}{10 + n}\right)

    With a constant decay of 0.999 the initial weights still make up five per cent of the average after 3,000
    steps. With the growing decay their share is negligible. The first average is the weights after the first
    step. The module holds the average during validations and after training. Checkpoints contain both sets of
    weights. The formula is an increment, so the average of constant weights is exact. Tensors that are not
    floating-point (a flag "initialised", an order of channels) are copied, not averaged.

    Args:
        decay: :math:`d`, the limit of the decay.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {}
        self.num_averaged = 0
        self.last_step = 0
        self._own: dict[str, Tensor] | None = None  # the module's own weights, while it holds the average

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if not self.weights:
            self.weights = _copy(_tensors(module))
        self.weights = {name: tensor.to(module.device) for name, tensor in self.weights.items()}

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: Any
    ) -> None:
        if trainer.global_step > self.last_step:
            self.update(_tensors(module))
            self.last_step = trainer.global_step

    @torch.no_grad()
    def update(self, current: dict[str, Tensor]) -> None:
        """Update the average with the weights of one step."""
        share = 1 - min(self.decay, (1 + self.num_averaged) / (10 + self.num_averaged))
        for name, average in self.weights.items():
            if self.num_averaged and average.is_floating_point():
                average.copy_(average + share * (current[name] - average))
            else:
                average.copy_(current[name])
        self.num_averaged += 1

    def covers(self, trainer: lightning.Trainer) -> bool:
        """Whether the average includes the last optimiser step, so that a checkpoint is consistent."""
        return self.last_step == trainer.global_step

    def on_validation_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if self.weights and self._own is None:
            self._own = _copy(_tensors(module))
            _fill(module, self.weights)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._give_back(module)

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if self.weights:
            _fill(module, self.weights)

    def on_exception(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Restore the module's own weights after an interrupted validation, before they are saved."""
        self._give_back(module)

    def _give_back(self, module: lightning.LightningModule) -> None:
        if self._own is not None:
            _fill(module, self._own)
            self._own = None

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "num_averaged": self.num_averaged, "last_step": self.last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.weights, self.num_averaged, self.last_step = (
            state_dict[name] for name in ("weights", "num_averaged", "last_step")
        )


def _tensors(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in (*module.named_parameters(), *module.named_buffers())}


def _copy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


@torch.no_grad()
def _fill(module: torch.nn.Module, tensors: dict[str, Tensor]) -> None:
    for name, tensor in _tensors(module).items():
        tensor.copy_(tensors[name])
