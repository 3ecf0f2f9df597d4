"""Analysis and resynthesis by the WORLD vocoder: the ceiling of a voice with pulses, noise and an envelope.

Morise, Yokomori and Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system for real-time
applications" (2016), by the package ``pyworld`` (extra ``world``).
"""

import functools
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import torch
from torch import Tensor

from wavegen.audio.resampling import resample
from wavegen.errors import UserError

# The aperiodicity of WORLD is measured in bands of 3 kHz below half the rate less 3 kHz: at 8 kHz, in none.
LOWEST_RATE = 16000


def world_resynthesis(waveform: Tensor, sample_rate: int) -> Tensor:
    """Copy-synthesis of ``waveform`` ``(time,)``: Harvest's F0, CheapTrick's envelope, D4C's aperiodicity.

    Frames last 5 ms. Speech below 16 kHz is analysed at 16 kHz. The phases are WORLD's own (minimum phase),
    so waveforms are not compared sample by sample. Deterministic. Raises UserError without ``pyworld``.
    """
    world = _pyworld()
    rate = max(sample_rate, LOWEST_RATE)
    signal = resample(waveform.double(), sample_rate, rate).numpy()
    f0_hz, time_s = world.harvest(signal, rate)
    envelope = world.cheaptrick(signal, f0_hz, time_s, rate)
    aperiodicity = world.d4c(signal, f0_hz, time_s, rate)
    spoken = torch.from_numpy(world.synthesize(f0_hz, envelope, aperiodicity, rate))
    spoken = resample(spoken, rate, sample_rate)[: waveform.shape[-1]].to(waveform.dtype)
    return torch.nn.functional.pad(spoken, (0, waveform.shape[-1] - spoken.shape[-1]))


def has_world() -> bool:
    """Whether ``pyworld`` is installed."""
    return find_spec("pyworld") is not None


@functools.cache
def _pyworld() -> ModuleType:
    """The compiled module of ``pyworld``.

    Its ``__init__`` imports ``pkg_resources`` for a version number, which setuptools has no more since 81.
    """
    package = find_spec("pyworld")
    spec = package and PathFinder.find_spec("pyworld.pyworld", package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise UserError("the WORLD vocoder needs the package pyworld: pip install wavegen[world]")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
