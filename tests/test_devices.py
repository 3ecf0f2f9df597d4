"""The setting ``device`` names what is there, and says what is not."""

import pytest
import torch

from wavegen.devices import compute_device, explain_device, synchronise
from wavegen.errors import UserError


def test_names(device):
    assert compute_device("cpu") == torch.device("cpu")
    assert compute_device(device.type) == compute_device(str(device)) == device
    assert explain_device(device).startswith(str(device)) and explain_device(torch.device("cpu")) == "the CPU"


def test_auto_is_the_gpu_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert compute_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert compute_device("auto") == torch.device("cuda", 0)


@pytest.mark.parametrize("setting", ["gpu", "cuda:one", "", "cuda:-1", "1", "meta", None])
def test_other_names_are_refused(setting):
    with pytest.raises(
        UserError, match=f"device={setting} is not the name.*expected auto, cpu, cuda or cuda:N"
    ):
        compute_device(setting)


def test_a_device_that_is_missing_is_refused(monkeypatch, device):
    with pytest.raises(UserError, match=rf"device={device.type}:99: this machine has \d+ of these devices"):
        compute_device(f"{device.type}:99")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"device=cuda:1: torch .* finds no such device.*expected cpu or auto"
    ):
        compute_device("cuda:1")


def test_work_is_complete_after_synchronising(device, monkeypatch):
    waited = []
    monkeypatch.setattr(torch.get_device_module(device), "synchronize", waited.append, raising=False)
    synchronise(torch.device("cpu"))
    assert not waited
    synchronise(device)
    assert waited == [device]
