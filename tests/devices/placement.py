"""Runs tests that say nothing of devices on a device: what they make lies there, what wavegen makes does not.

Inside the block, a tensor made by a test, or by a constructor of a module, lies on the device, as after
``model.to(device)``. A tensor that wavegen makes elsewhere lies where wavegen says, which is the CPU if it
does not say. So a test fails where wavegen mixes devices, or hands a tensor of a device to NumPy.
"""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

IMITATION = str(Path(__file__).with_name("imitation.py"))  # a library, although it lies among the tests
TESTS = str(Path(__file__).parents[1])
WAVEGEN = str(Path(__file__).parents[2] / "wavegen")
READS = (Tensor.numpy, Tensor.__array__)


class Placement(TorchFunctionMode):
    """See the module. The tests' random numbers are drawn by the CPU: the same ones on every device."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.constructors = _device_constructors()
        self.from_numpy = torch.from_numpy

    def __enter__(self) -> "Placement":
        torch.from_numpy = self.made_from_numpy  # which no mode sees
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        torch.from_numpy = self.from_numpy
        super().__exit__(*error)

    def made_from_numpy(self, array: Any) -> Tensor:
        made = self.from_numpy(array)
        return made.to(self.device) if belongs_on_device(sys._getframe(1)) else made

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if sys._getframe(1).f_code.co_filename == IMITATION:
            return func(*args, **kwargs)
        if func in self.constructors and kwargs.get("device") is None and belongs_on_device(sys._getframe(1)):
            made = func(*args, **kwargs)
            if made.requires_grad and made.is_leaf:
                return made.detach().to(self.device).requires_grad_()
            return made.to(self.device)
        if func in READS and caller(sys._getframe(1)).startswith(TESTS):
            return func(args[0].cpu(), *args[1:], **kwargs)
        return func(*args, **kwargs)


def caller(frame: FrameType | None) -> str:
    """The file of tests or of wavegen that called, behind frames of libraries; empty if there is none."""
    while frame is not None:
        if frame.f_code.co_filename.startswith((TESTS, WAVEGEN)):
            return frame.f_code.co_filename
        frame = frame.f_back
    return ""


def belongs_on_device(frame: FrameType | None) -> bool:
    """Whether a test, or the constructor of a module, makes this tensor."""
    if caller(frame).startswith(TESTS):
        return True
    while frame is not None and not frame.f_code.co_filename.startswith(TESTS):
        is_constructor = frame.f_code.co_name == "__init__"
        if is_constructor and isinstance(frame.f_locals.get("self"), nn.Module):
            return True
        frame = frame.f_back
    return False
