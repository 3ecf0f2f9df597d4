"""Polyak averaging of the weights."""

import lightning
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class PolyakAverage(WeightAveraging):
    r"""Exponential moving average whose memory grows with the run.

    .. math:: \bar w_{n+1} = \bar w_n + (1 - d_n)(w - \bar w_n), \qquad
              d_n = \min\left(d, \frac{1 + n}{10 + n}\right)

    With a constant decay of 0.999 the initial weights still make up five per cent of the average after 3,000
    steps; with the growing one they are gone. Lightning swaps the average in for validation, saves it, and
    restores it on resumption; after training the module holds it. Written as an increment, weights that do
    not move are averaged exactly. What is no floating number (a flag that says "initialised", an order of
    channels) has no average and is taken as it is.

    Args:
        decay: :math:`d`, of the long run.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, num_averaged: Tensor | int) -> Tensor:
            if not averaged.is_floating_point():
                return current
            count = float(num_averaged)
            return averaged + (1 - min(decay, (1 + count) / (10 + count))) * (current - averaged)

        super().__init__(avg_fn=average)
        self.swapped = False

    def covers(self, trainer: lightning.Trainer) -> bool:
        """Whether the last optimiser step has reached the average: in between, a checkpoint would be torn."""
        return self._latest_update_step == trainer.global_step

    def on_validation_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        super().on_validation_epoch_start(trainer, module)
        self.swapped = True

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_validation_epoch_end(trainer, module)
        self.swapped = False

    def on_exception(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """An interrupted validation gives the module its own weights back before anyone saves them."""
        if self.swapped:
            self._swap_models(module)
            self.swapped = False
