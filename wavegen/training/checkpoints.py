"""The checkpoint files of a training: the last and the previous one, of which one is always readable."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from wavegen.errors import UserError
from wavegen.files import LEFT_OVERS, atomic_path
from wavegen.training.step_seed import ends_step

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"

log = logging.getLogger(__name__)


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name, reads it back, and then renames it.

    The old ``last.ckpt`` becomes ``previous.ckpt`` if it is readable. If the process is killed, the disk is
    full or the power fails, the existing checkpoints remain. The next save deletes temporary files of killed
    processes. Lightning's own writer is atomic only if the temporary folder and the run are on the same
    filesystem.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            UserError: if the disk is full, permission is missing, or the file does not read back correctly.
                Earlier checkpoints remain.
        """
        path = Path(path)
        for left_over in path.parent.glob(LEFT_OVERS):
            left_over.unlink(missing_ok=True)
        try:
            with atomic_path(path) as temporary:
                _write(checkpoint, temporary)
                read_step(temporary)
                if path.name == LAST and _reads(path):
                    path.replace(path.with_name(PREVIOUS))
            _sync_folder(path.parent)
        except (UserError, BadZipFile) as error:
            reason = str(error) if isinstance(error, UserError) else f"{path} cannot be read back ({error})"
            kept = "; the previous checkpoint is unchanged" if path.exists() else ""
            raise UserError(f"{reason}{kept}") from error


class TimedCheckpoint(ModelCheckpoint):
    """Saves at fixed intervals of time, always to the same file, and has no state in the checkpoint.

    Lightning's own callback stores in each checkpoint the path that its next save replaces, and deletes that
    path after a resumption. A manipulated checkpoint could so delete any file or folder.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        number: int,
    ) -> None:
        """Not between the batches of a step, whose gradients are not in a checkpoint."""
        if ends_step(trainer, number):
            super().on_train_batch_end(trainer, module, outputs, batch, number)


def _write(checkpoint: dict[str, Any], path: Path) -> None:
    """Write and fsync: without it, a renamed file may be empty or full of zeros after a power failure."""
    with path.open("wb") as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's error about the file position hides the original OSError
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Write the new file names to the disk, if the filesystem supports fsync of folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_step(path: Path) -> int:
    """The step of a checkpoint, after all checksums in the file have been verified.

    torch itself does not verify them: it would load zeros instead of weights.

    Raises:
        Exception: of zipfile or torch, if the file is incomplete, corrupt, or contains objects other than
            tensors and plain values.
    """
    with ZipFile(path) as archive:
        torn = archive.testzip()
        if torn is not None:
            raise BadZipFile(f"{torn} does not agree with its checksum")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"]


def _reads(path: Path) -> bool:
    try:
        read_step(path)
    except Exception:
        return False
    return True


def resumable(folder: Path, max_steps: int) -> Path | None:
    """The checkpoint to resume from: the last one, else the previous one, None if neither exists.

    Raises:
        UserError: if checkpoints exist but none is readable; if the step is greater than ``max_steps``.
    """
    reasons = {}
    for path in (folder / LAST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            step = read_step(path)
        except Exception as error:
            reasons[path] = str(error).splitlines()[0] if str(error) else type(error).__name__
            continue
        if step > max_steps:
            raise UserError(f"{path} is at step {step}, expected at most max_steps = {max_steps}")
        if path.name == PREVIOUS:
            _say_previous(folder, step, reasons.get(folder / LAST, "it is missing"))
        return path
    if reasons:
        path, reason = next(iter(reasons.items()))
        raise UserError(
            f"{path} cannot be read as a training checkpoint ({reason}); delete it to train this stage again"
        )
    return None


@rank_zero_only
def _say_previous(folder: Path, step: int, reason: str) -> None:
    log.warning("%s cannot be read (%s): resuming from %s, step %d", folder / LAST, reason, PREVIOUS, step)
