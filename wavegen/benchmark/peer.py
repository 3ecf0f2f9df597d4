"""Measures the peer: cached sampling of ``wavenet_vocoder`` 0.1.1 from PyPI, with its fastest settings."""

import importlib
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

from wavegen.benchmark.nets import CYCLE_LENGTH, check_sound, make_context
from wavegen.benchmark.timing import Subject
from wavegen.errors import UserError

PEER = "wavenet_vocoder 0.1.1"
MISSING = f"The peer ({PEER}) is not installed and was not measured: pip install 'wavegen[bench]'"


def find_peer() -> ModuleType | None:
    """The package, None if it is not installed."""
    try:
        return importlib.import_module("wavenet_vocoder")
    except ImportError:
        return None


def make_peer(package: ModuleType, config: Mapping[str, Any]) -> torch.nn.Module:
    """A net of the teacher's shape; its output net always has the width of its skips.

    Weight normalisation is removed, as its documentation recommends for generation.

    Raises:
        UserError: if its dilation cycles do not divide the number of layers.
    """
    shape = config["teacher"]
    stacks = max(1, shape["num_layers"] // CYCLE_LENGTH)
    if shape["num_layers"] % stacks:
        raise UserError(
            f"teacher.num_layers: expected at most {CYCLE_LENGTH} or a multiple of it for {PEER}, got "
            f"{shape['num_layers']}"
        )
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", FutureWarning)  # it uses torch's deprecated weight_norm
        torch.manual_seed(config["seed"])
        net = package.WaveNet(
            out_channels=3 * shape["num_components"],
            layers=shape["num_layers"],
            stacks=stacks,
            residual_channels=shape["residual_channels"],
            gate_channels=shape["gate_channels"],
            skip_out_channels=shape["skip_channels"],
            kernel_size=shape["kernel_size"],
            cin_channels=config["conditioning"]["channels"],
            scalar_input=True,
            upsample_conditional_features=False,
        )
    net.make_generation_fast_()
    return net.eval()


def peer_subjects(package: ModuleType, config: Mapping[str, Any], threads: int) -> list[Subject]:
    """The peer's cached sampling of one utterance and of a batch, on one thread and on all."""
    net = make_peer(package, config)
    return [
        _speaking(net, batch_size, config, count)
        for count in dict.fromkeys([1, threads])
        for batch_size in dict.fromkeys([1, config["batch_size"]])
    ]


def _speaking(net: Any, batch_size: int, config: Mapping[str, Any], threads: int) -> Subject:
    # Conditioning at sample rate is made in advance, because upsampling is not compared.
    largest = config["sample_rate"]
    channels = config["conditioning"]["channels"]
    conditioning = make_context({"channels": channels, "hop_samples": 1}, largest, batch_size)["features"]
    first = torch.zeros(batch_size, 1, 1)  # the only argument that gives the batch size

    @torch.inference_mode()
    def run(size: int) -> None:
        waveform = net.incremental_forward(
            test_inputs=first, c=conditioning[..., :size], T=size, softmax=False, quantize=False
        )
        check_sound(waveform, PEER)

    labels = {"subject": PEER, "precision": "float32", "batch_size": batch_size}
    return Subject(labels, run, threads, granule=20, largest=largest, items=batch_size)
