"""Checkpoints that are whole after a kill, a full disk or a disk that lies, and the one before them."""

import errno
import logging
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from wavegen.errors import UserError
from wavegen.training import checkpoints
from wavegen.training.checkpoints import CheckpointFiles, read_step, resumable

ANOTHER_FILESYSTEM = Path("/dev/shm")


def state(step, num_values=1000):
    return {"global_step": step, "weights": torch.full((num_values,), float(step))}


def save(folder, *steps, **size):
    for step in steps:
        CheckpointFiles().save_checkpoint(state(step, **size), str(folder / "last.ckpt"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_last_and_the_one_before_it_are_kept(tmp_path):
    folder = tmp_path / "checkpoints" / "teacher"
    assert resumable(folder, 10) is None
    save(folder, 1)
    assert names(folder) == ["last.ckpt"]
    save(folder, 2, 3)
    assert names(folder) == ["last.ckpt", "previous.ckpt"]
    assert [read_step(folder / name) for name in names(folder)] == [3, 2]
    assert resumable(folder, 10) == folder / "last.ckpt"
    loaded = CheckpointFiles().load_checkpoint(folder / "last.ckpt", weights_only=True)
    torch.testing.assert_close(loaded["weights"], state(3)["weights"])


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def put_zeros(path):
    """What a power cut leaves of a file whose blocks never came to the disk; torch loads it all the same."""
    content = bytearray(path.read_bytes())
    start = content.index(torch.full((1,), 3.0).numpy().tobytes() * 16)
    content[start : start + 256] = bytes(256)
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["weights"][1] == 0


@pytest.mark.parametrize("spoil", [truncate, put_zeros, Path.unlink])
def test_what_cannot_be_read_is_replaced_by_the_one_before(tmp_path, caplog, spoil):
    save(tmp_path, 2, 3)
    spoil(tmp_path / "last.ckpt")
    with caplog.at_level(logging.WARNING):
        assert resumable(tmp_path, 10) == tmp_path / "previous.ckpt"
    (record,) = caplog.records
    assert "last.ckpt cannot be read (" in record.getMessage()
    assert record.getMessage().endswith("resuming from previous.ckpt, step 2")
    save(tmp_path, 4)  # the spoilt one must not take the place of the good one
    assert [read_step(tmp_path / name) for name in ("last.ckpt", "previous.ckpt")] == [4, 2]


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_runs_no_code(tmp_path):
    trace = tmp_path / "trace"
    torch.save({**state(3), "callbacks": _Touch(trace)}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt cannot be read as a training checkpoint"):
        resumable(tmp_path, 10)
    assert not trace.exists()
    torch.load(tmp_path / "last.ckpt", weights_only=False)
    assert trace.exists()  # it would have


def test_nothing_that_can_be_read_is_said(tmp_path):
    save(tmp_path, 2, 3)
    truncate(tmp_path / "last.ckpt")
    truncate(tmp_path / "previous.ckpt")
    with pytest.raises(UserError, match="last.ckpt cannot be read as a training checkpoint .*; delete it"):
        resumable(tmp_path, 10)


def test_a_checkpoint_beyond_the_end_is_named(tmp_path):
    save(tmp_path, 11)
    with pytest.raises(UserError, match="is at step 11, expected at most max_steps = 10"):
        resumable(tmp_path, 10)


def test_what_does_not_read_back_takes_no_name(tmp_path, monkeypatch):
    save(tmp_path, 1, 2)
    write = checkpoints._write

    def write_through_a_bad_cable(checkpoint, path):
        write(checkpoint, path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    monkeypatch.setattr(checkpoints, "_write", write_through_a_bad_cable)
    with pytest.raises(
        UserError, match=r"last.ckpt cannot be read back \(.*\); the previous checkpoint is unchanged"
    ):
        save(tmp_path, 3)
    assert names(tmp_path) == ["last.ckpt", "previous.ckpt"]
    assert [read_step(tmp_path / name) for name in names(tmp_path)] == [2, 1]


@pytest.fixture
def limited_file_size():
    """Files of this process end at 64 KiB, by the system's hand: a write stops in the midst of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_stops_half_way_leaves_what_there_was(tmp_path, limited_file_size):
    with pytest.raises(UserError) as caught:
        save(tmp_path, 1, num_values=10**5)
    assert str(caught.value) == f"cannot write {tmp_path / 'last.ckpt'}: {os.strerror(errno.EFBIG)}"
    save(tmp_path, 1, 2)
    with pytest.raises(UserError) as caught:
        save(tmp_path, 3, num_values=10**5)
    assert str(caught.value).endswith("; the previous checkpoint is unchanged")
    assert names(tmp_path) == ["last.ckpt", "previous.ckpt"]
    assert [read_step(tmp_path / name) for name in names(tmp_path)] == [2, 1]


@pytest.fixture
def small_filesystem(tmp_path):
    """A filesystem of two megabytes; only root may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a filesystem")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_leaves_what_there_was(small_filesystem):
    save(small_filesystem, 1, 2)
    with pytest.raises(UserError) as caught:
        save(small_filesystem, 3, num_values=10**6)
    assert f"last.ckpt: {os.strerror(errno.ENOSPC)}; the previous checkpoint is unchanged" in str(
        caught.value
    )
    assert names(small_filesystem) == ["last.ckpt", "previous.ckpt"]
    save(small_filesystem, 4)
    assert resumable(small_filesystem, 10) == small_filesystem / "last.ckpt"


def test_a_disk_that_fills_up_while_training_costs_no_step_that_was_saved(
    train_flow, small_filesystem, tmp_path
):
    often = "flow_training.checkpoint_every_minutes=0"  # after every step
    train_flow(tmp_path / "whole", often)
    ballast = small_filesystem / "ballast"
    ballast.write_bytes(bytes(2**21 - 2**17))  # leaves room for two checkpoints of 54 KiB, not for a third
    run = small_filesystem / "run"
    with pytest.raises(UserError, match="No space left on device; the previous checkpoint is unchanged"):
        train_flow(run, often)
    assert not (run / "flow.safetensors").exists()
    assert read_step(run / "checkpoints" / "flow" / "last.ckpt") >= 1
    ballast.unlink()
    train_flow(run, often)
    whole, resumed = (load_file(path / "flow.safetensors") for path in (tmp_path / "whole", run))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def save_for_ever(folder, ready):
    for step in range(1, 10**9):
        save(folder, step, num_values=2 * 10**6)
        ready.set()


@pytest.fixture
def folder_elsewhere(tmp_path_factory):
    """On another filesystem than the temporary folder, where a rename out of that folder is a copy."""
    if not ANOTHER_FILESYSTEM.is_dir() or os.stat(ANOTHER_FILESYSTEM).st_dev == os.stat("/tmp").st_dev:
        pytest.skip("there is no other filesystem here")
    folder = ANOTHER_FILESYSTEM / tmp_path_factory.mktemp("wavegen").name
    folder = folder.with_name(f"{folder.name}-{os.getpid()}")
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_kill_while_saving_never_tears_a_checkpoint(folder_elsewhere):
    """Twelve processes that save 8 MB without a pause, each killed at another moment."""
    random.seed(0)
    context = multiprocessing.get_context("fork")
    for _ in range(12):
        ready = context.Event()
        process = context.Process(target=save_for_ever, args=(folder_elsewhere, ready))
        process.start()
        assert ready.wait(60)
        time.sleep(random.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        there = [name for name in names(folder_elsewhere) if name.endswith(".ckpt")]
        assert there
        for name in there:
            assert read_step(folder_elsewhere / name) > 0, name
        assert resumable(folder_elsewhere, 10**9) is not None
    save(folder_elsewhere, 1)
    assert names(folder_elsewhere) == ["last.ckpt", "previous.ckpt"], "what was half written is gone"
