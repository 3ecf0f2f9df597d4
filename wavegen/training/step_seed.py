"""Makes noise a function of (seed, rank, step, batch), so that a resumed run equals an uninterrupted one."""

from typing import Any

import lightning
import numpy as np
import torch


class StepSeed(lightning.Callback):
    """Seeds torch's generator before every batch of a training step, and before every validation."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.seed_step(trainer, 2 * (batch_idx % trainer.accumulate_grad_batches))

    def on_validation_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.seed_step(trainer, 1)

    def seed_step(self, trainer: lightning.Trainer, purpose: int) -> None:
        entropy = np.random.SeedSequence([self.seed, trainer.global_rank, trainer.global_step, purpose])
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))


def ends_step(trainer: lightning.Trainer, batch_idx: int) -> bool:
    """Whether the optimiser made its step after this batch, the last of those whose gradients it averages."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0
