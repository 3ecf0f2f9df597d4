"""What holds for every test: same numbers on every run, denormals flushed, no more threads than asked for."""

import os

import pytest
import torch
from hypothesis import settings

from wavegen.runtime import prepare_process

# The same examples each time, so that a red test stays red; HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

prepare_process()
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test starts from the same state of torch's generator, alone or among others."""
    torch.manual_seed(0)
