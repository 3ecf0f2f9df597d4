"""The fixture ``device``, and ``pytest --device NAME``, which runs whole tests on a device."""

import imitation
import pytest
import torch
from placement import Placement

DEVICES = ("imitated", "cuda")


def missing(name: str) -> str | None:
    """Why there is no such device; None if there is one."""
    if name == "cuda":
        return None if torch.cuda.is_available() else "there is no GPU"
    if torch.cuda.is_available():
        return "there is a GPU, which need not be imitated"
    return None if imitation.IS_POSSIBLE else f"torch {torch.__version__} has no backends in Python"


if missing("imitated") is None:
    imitation.register()  # before the first backward pass of the process


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", choices=DEVICES, help="where models and tensors of the tests lie")


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--device")
    if chosen is not None:
        reason = missing(chosen)
        if reason is not None:
            raise pytest.UsageError(f"--device {chosen}: {reason}")
        Placement(torch.device(chosen, 0)).__enter__()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what ``cpu`` marks: what it asserts holds on the CPU only, as its module's docstring says."""
    if config.getoption("--device") is not None:
        for item in items:
            for mark in item.iter_markers("cpu"):
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """A device beside the CPU: a GPU if there is one, otherwise its imitation."""
    if request.config.getoption("--device") is not None:
        pytest.skip("with --device all that tests make lies there; this test says itself what lies where")
    reason = missing(request.param)
    if reason is not None:
        pytest.skip(reason)
    return torch.device(request.param, 0)
