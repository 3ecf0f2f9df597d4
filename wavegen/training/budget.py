"""How much a training may take."""

from typing import Any

import lightning


class Budget(lightning.Callback):
    """Ends the fit after so many steps, those before a resumption included, and with a validation.

    Args:
        max_steps: optimiser steps.
    """

    def __init__(self, max_steps: int) -> None:
        self.max_steps = max_steps

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.stop_at_the_end(trainer)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.stop_at_the_end(trainer)

    def stop_at_the_end(self, trainer: lightning.Trainer) -> None:
        if trainer.global_step >= self.max_steps:
            trainer.should_stop = True
