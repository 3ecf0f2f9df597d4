"""Denormals are flushed in every process; libraries' advertisements are dropped, their messages are not."""

import logging
import multiprocessing
import subprocess
import sys

import pytest
import torch

from wavegen.runtime import prepare_process, quiet_libraries

DENORMAL = 1e-40


def _half_of_a_denormal() -> float:
    return (torch.tensor([DENORMAL]) * 0.5).item()


def test_denormals_are_flushed_in_this_process() -> None:
    torch.set_flush_denormal(False)
    try:
        assert _half_of_a_denormal() > 0.0
    finally:
        prepare_process()
    assert _half_of_a_denormal() == 0.0


@pytest.mark.slow
def test_denormals_are_flushed_in_a_pool_and_in_its_threads() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, initializer=prepare_process) as pool:
        assert pool.apply(_flushed_everywhere)


def _flushed_everywhere() -> bool:
    torch.set_num_threads(2)
    many = torch.full((1_000_000,), DENORMAL)  # large enough to be shared out among the threads
    return bool((many * 0.5 == 0.0).all())


def test_importing_runtime_loads_no_torch() -> None:
    code = "import sys; import wavegen.runtime; sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("utilities.rank_zero", "💡 Tip: For seamless cloud logging, try our service"),
        ("trainer.connectors.checkpoint_connector", "`weights_only` was not set, defaulting to `False`."),
    ],
)
def test_only_noise_is_dropped(name: str, noise: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(f"lightning.pytorch.{name}")
    before = list(logger.filters)
    quiet_libraries()
    try:
        with caplog.at_level(logging.INFO, logger=logger.name):
            logger.info(noise)
            logger.info("GPU available: False")
    finally:
        logger.filters = before
    assert caplog.messages == ["GPU available: False"]
