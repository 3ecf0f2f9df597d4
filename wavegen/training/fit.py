"""Functions that fit a module: ``fit`` with logs and checkpoints to resume from, ``fit_briefly`` without."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger

from wavegen.interruption import Interrupted
from wavegen.processor import multiplies_bfloat16
from wavegen.runtime import prepare_process
from wavegen.training.averaging import PolyakAverage
from wavegen.training.callback_order import check_order
from wavegen.training.checkpoints import LAST, CheckpointFiles, TimedCheckpoint, resumable
from wavegen.training.lost_process import LostProcess
from wavegen.training.module import TrainingModule
from wavegen.training.processes import end_other_processes
from wavegen.training.progress_bar import StepProgress
from wavegen.training.quiet import one_thread, quiet_lightning
from wavegen.training.resumption import Resumption
from wavegen.training.step_seed import StepSeed
from wavegen.training.stop import StopOnSignal


def fastest_precision(accelerator: object = "auto") -> str:
    """``bf16-mixed`` if the hardware multiplies bfloat16 natively, else ``32-true``.

    ``accelerator`` is Lightning's: with ``cpu``, a GPU that is there is not used.

    Emulated bfloat16 is slower than float32. Heads, losses and the residual stream stay in float32 either
    way.
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if multiplies_bfloat16() else "32-true"


def fit(
    *,
    module: TrainingModule,
    data: lightning.LightningDataModule,
    trainer: Callable[..., lightning.Trainer],
    run: Path,
    stage: str,
    seed: int,
    validate_every_steps: int,
    checkpoint_every_minutes: float = 3.0,
    dev_batches: int = 8,
    gradient_clip: float = 1.0,
    average_decay: float = 0.999,
    accumulate_batches: int = 1,
    precision: str = "auto",
    callbacks: Sequence[lightning.Callback] = (),
) -> None:
    """Fit until the module's budget is used; resumes from ``run/checkpoints/<stage>`` if it exists.

    Afterwards the module holds the Polyak-averaged weights.

    Args:
        module, data: the module to train and its data.
        trainer: partial of ``lightning.Trainer`` with hardware and strategy.
        run: the run's folder.
        stage: ``teacher``, ``student``, ``flow``; names the logs and checkpoints.
        seed: of all noise in the training.
        validate_every_steps: steps between validations; a last one follows at the end.
        checkpoint_every_minutes: wall time between checkpoints; Ctrl-C, SIGTERM and SIGHUP also save one.
        dev_batches: dev batches per validation.
        gradient_clip: largest global gradient norm.
        average_decay: of the exponential moving average of the weights.
        accumulate_batches: batches of a step, whose mean gradient the optimiser uses; each has its own data
            and noise.
        precision: of Lightning, or ``auto`` for :func:`fastest_precision`.
        callbacks: additional ones; in validations they see the averaged weights.

    Raises:
        UserError: if a checkpoint cannot be read or written; if a loss or gradient is not finite; if one of
            several processes has died.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP, with the checkpoint saved.
    """
    prepare_process()
    budget = module.budget
    folder = run / "checkpoints" / stage
    last = folder / LAST
    saver = TimedCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        monitor=None,
        train_time_interval=timedelta(minutes=checkpoint_every_minutes),
        enable_version_counter=False,
    )
    accelerator = getattr(trainer, "keywords", {}).get("accelerator", "auto")
    average = PolyakAverage(average_decay)
    stop = StopOnSignal(last, stage, average)
    lightning_trainer = trainer(
        max_steps=-1,  # the budget ends the training
        max_epochs=-1,
        precision=fastest_precision(accelerator) if precision == "auto" else precision,
        gradient_clip_val=gradient_clip,
        accumulate_grad_batches=accumulate_batches,
        val_check_interval=validate_every_steps * accumulate_batches,
        check_val_every_n_epoch=None,
        limit_val_batches=dev_batches,
        num_sanity_val_steps=0,
        logger=TensorBoardLogger(save_dir=run, name="tensorboard", version=stage),
        default_root_dir=folder,
        enable_model_summary=False,
        plugins=[CheckpointFiles()],
        callbacks=[
            StepSeed(seed),
            budget.clock,
            budget,
            *callbacks,
            average,
            LearningRateMonitor(logging_interval="step"),
            StepProgress(stage, budget),
            Resumption(validate_every_steps),
            stop,
            LostProcess(last, stage),
            saver,
        ],
    )
    check_order(lightning_trainer.callbacks)  # type: ignore[attr-defined]  # set by its connector
    interrupted = None
    try:
        with stop.listening():
            checkpoint = resumable(folder, budget.max_steps)
            lightning_trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
            lightning_trainer.save_checkpoint(last)
            stop.check(lightning_trainer, kept=f"the {stage} is trained")
    except SystemExit as ended:
        # Lightning turns a KeyboardInterrupt into an exit; our caller prints the message.
        if lightning_trainer.interrupted and ended.code:
            raise KeyboardInterrupt from None
        raise
    except Interrupted as error:
        interrupted = error
    if interrupted is not None:
        end_other_processes()  # only the first one raises: Lightning would kill it if another one failed
        raise interrupted


def fit_briefly(
    *,
    module: TrainingModule,
    data: lightning.LightningDataModule,
    run: Path,
    stage: str,
    seed: int,
    gradient_clip: float,
) -> None:
    """Fit a small module on one CPU thread, without interruption and output: one of many fits in parallel.

    With one thread, the result does not depend on the number of cores. Nothing is logged, averaged, validated
    or written into the run.

    Raises:
        UserError: if a loss or gradient is not finite.
    """
    with one_thread(), quiet_lightning():
        trainer = lightning.Trainer(
            accelerator="cpu",  # a step of so small a net takes less time than a kernel launch
            devices=1,
            max_steps=-1,
            max_epochs=-1,
            gradient_clip_val=gradient_clip,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[StepSeed(seed), module.budget],
        )
        trainer.fit(module, datamodule=data)
