"""The peer: cached sampling of ``wavenet_vocoder`` 0.1.1 from PyPI, at its fastest documented settings."""

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
    """The package, None where it is not installed."""
    try:
        return importlib.import_module("wavenet_vocoder")
    except ImportError:
        return None


def make_peer(package: ModuleType, config: Mapping[str, Any]) -> torch.nn.Module:
    """A net of the teacher's shape; its output net is as wide as its skips, whatever ``output_channels`` is.

    Weight normalisation is taken out, as its documentation wants it for generation.

    Raises:
        UserError: for a number of layers that its dilation cycles do not divide.
    """
    shape = config["teacher"]
    stacks = max(1, shape["num_layers"] // CYCLE_LENGTH)
    if shape["num_layers"] % stacks:
        raise UserError(
            f"teacher.num_layers: expected at most {CYCLE_LENGTH} or a multiple of it, as {PEER} takes them, "
            f"got {shape['num_layers']}"
        )
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", FutureWarning)  # torch deprecates the weight_norm that it uses
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
    """Its cached sampling of one utterance and of a batch, on one thread and on all."""
    net = make_peer(package, config)
    return [
        _speaking(net, batch_size, config, count)
        for count in dict.fromkeys([1, threads])
        for batch_size in dict.fromkeys([1, config["batch_size"]])
    ]


def _speaking(net: Any, batch_size: int, config: Mapping[str, Any], threads: int) -> Subject:
    # Conditioning at sample rate is made beforehand: its upsampling is not what is compared.
    largest = config["sample_rate"]
    channels = config["conditioning"]["channels"]
    conditioning = make_context({"channels": channels, "hop_samples": 1}, largest, batch_size)["features"]
    first = torch.zeros(batch_size, 1, 1)  # the only argument that tells it how many utterances to speak

    @torch.inference_mode()
    def run(size: int) -> None:
        waveform = net.incremental_forward(
            test_inputs=first, c=conditioning[..., :size], T=size, softmax=False, quantize=False
        )
        check_sound(waveform, PEER)

    labels = {"subject": PEER, "precision": "float32", "batch_size": batch_size}
    return Subject(labels, run, threads, granule=20, largest=largest, items=batch_size)
