"""The setting ``device``: where a model computes."""

import torch

from wavegen.errors import UserError

AUTO = "auto"
EXPECTED = "expected auto, cpu, cuda or cuda:NUMBER"


def compute_device(setting: str) -> torch.device:
    """The device of that name: ``cpu``, ``cuda`` (the first GPU), ``cuda:1``, another accelerator of torch.

    ``auto`` is the first GPU that torch finds, else the CPU.

    Raises:
        UserError: if the name is unknown, or this machine has no such device.
    """
    if setting == AUTO:
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(setting)
        count = _count(device.type)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(f"device={setting} is not the name of a device, {EXPECTED}") from error
    if device.type == "cpu":
        return torch.device("cpu")
    index = device.index or 0
    if count == 0:
        raise UserError(
            f"device={setting}: torch {torch.__version__} finds no such device on this machine, expected "
            "cpu or auto"
        )
    if index >= count:
        raise UserError(
            f"device={setting}: this machine has {count} of these devices, expected {device.type}:0 to "
            f"{device.type}:{count - 1}"
        )
    return torch.device(device.type, index)


def explain_device(device: torch.device) -> str:
    """The device in words: "the CPU", "cuda:0 (NVIDIA H200)"."""
    if device.type == "cpu":
        return "the CPU"
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return f"{device}{name}"


def synchronise(device: torch.device) -> None:
    """Wait until the device has computed everything; the CPU always has."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize(device)


def _count(kind: str) -> int:
    if kind == "cpu":
        return 1
    module = torch.get_device_module(kind)
    return module.device_count() if module.is_available() else 0
