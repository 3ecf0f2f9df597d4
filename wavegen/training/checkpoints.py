"""A training's checkpoints on disk: the last and the one before it, of which one can always be read."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from wavegen.errors import UserError
from wavegen.files import LEFT_OVERS, atomic_path

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"

log = logging.getLogger(__name__)


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place, reads it back, and only then gives it its name.

    What was ``last.ckpt`` becomes ``previous.ckpt``, unless it cannot be read. A process that is killed, a
    full disk or a power cut leaves the checkpoints that there were. What a killed process had half written
    goes at the next save. Lightning's own file is whole only where the temporary folder and the run lie on
    one filesystem.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            UserError: where there is no room or no right, or the file does not read back; what was saved
                before is still there.
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
            reason = str(error) if isinstance(error, UserError) else f"{path} does not read back ({error})"
            kept = "; the checkpoint before it is kept" if path.exists() else ""
            raise UserError(f"{reason}{kept}") from error


class TimedCheckpoint(ModelCheckpoint):
    """Saves whenever some time has passed, always to the same file, and knows nothing of earlier runs.

    Lightning's own writes into every checkpoint which path its next save makes superfluous, takes that back
    from the checkpoint a run goes on from, and deletes it, whatever it is: a folder too, and anywhere.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


def _write(checkpoint: dict[str, Any], path: Path) -> None:
    """Through to the disk: a file that is renamed before may be empty or full of zeros after a power cut."""
    with path.open("wb") as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's complaint about its position hides why nothing was written
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """The new names, too; where the filesystem has no such thing, they come to the disk when it sees fit."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_step(path: Path) -> int:
    """The step that a checkpoint stands at, once all that is in the file agrees with its checksums.

    torch itself does not look at them: it would load zeros in the place of weights.

    Raises:
        Exception: of zipfile or torch, where the file is torn, corrupt, or holds objects beyond tensors and
            plain values.
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
    """The checkpoint to go on from: the last, else the one before it, None where there is none.

    Raises:
        UserError: where none that is there can be read; where it stands beyond ``max_steps``.
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
            raise UserError(f"{path} stands at step {step}, expected at most max_steps = {max_steps}")
        if path.name == PREVIOUS:
            _say_previous(folder, step, reasons.get(folder / LAST, "it is missing"))
        return path
    if reasons:
        path, reason = next(iter(reasons.items()))
        raise UserError(
            f"{path} cannot be read as a training checkpoint ({reason}); delete it to train this stage anew"
        )
    return None


@rank_zero_only
def _say_previous(folder: Path, step: int, reason: str) -> None:
    log.warning("%s cannot be read (%s): going on from %s, step %d", folder / LAST, reason, PREVIOUS, step)
