"""Packs a causal WaveNet for the sequential engine: checks it and pads its matrices to whole vectors."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.engines.supported_models import check_finite, check_teacher
from wavegen.engines.vector.packed_matrix import padded
from wavegen.engines.vector.panels import Arena, gate_order, output_order, pack_tall_panels, take
from wavegen.engines.vector.tiles import FLOAT32
from wavegen.engines.vector.vector_code import LANES
from wavegen.models.speech.excitation_conditioner import ExcitationConditioner
from wavegen.nets.linear_prediction import LinearPrediction
from wavegen.nets.wavenet import WaveNet

MIXTURE, NORMAL, MU_LAW = range(3)
"""Kinds of heads, which draw a sample from its parameters."""


class TeacherNet(NamedTuple):
    """The weights and sizes of a teacher. Matrices are in ``weights``, at offsets counted in elements. Sizes
    that end in ``_width`` are padded to whole vectors with zeros.

    Per layer l: ``past[l]`` the taps before the newest, one after the other, ``now[l]`` the newest tap,
    ``conditioning[l]`` the projection of the sample-rate conditioning, all onto ``2 · gate_width`` channels
    (16 of the signal, the 16 that gate them, and so on); ``mix[l]`` onto ``residual_width + skip_width``
    channels. ``rows``: the numbers of rows (inputs, or pairs of them) of a tap, of the conditioning, of the
    mix and of the two output layers. ``prediction``: taps that add to the location, oldest sample first;
    ``reads_excitation``: whether the net reads the excitation, of which the waveform is a ``WaveformMap``
    instead. Either location depends on ``order`` samples.
    """

    weights: np.ndarray
    past: np.ndarray
    now: np.ndarray
    conditioning: np.ndarray
    mix: np.ndarray
    output: np.ndarray
    rows: np.ndarray
    dilations: np.ndarray
    kernel_size: int
    residual_width: int
    gate_width: int
    skip_width: int
    conditioning_width: int
    hidden_width: int
    parameter_width: int
    lift_weight: np.ndarray
    lift_bias: np.ndarray
    mix_bias: np.ndarray
    output_bias: np.ndarray
    hidden_bias: np.ndarray
    slope: np.ndarray
    prediction: np.ndarray
    reads_excitation: bool
    order: int
    head: int
    num_components: int
    min_log_scale: float
    step: float
    low: float
    high: float
    levels: np.ndarray


class PackedTeacher:
    """Makes a teacher's ``TeacherNet``, and has the conditioning weights that PyTorch uses.

    Attributes:
        wavenet: the conditioner that was packed.
        excitation: the conditioner around it that maps its excitation to the waveform, or None.
        gate_bias: ``(layers, 2 * gate_width)``.
        projections: of every layer's conditioning, ``(layers, 2 * gate_width, channels)``.
    """

    def __init__(self, model: nn.Module, precision: int) -> None:
        """
        Args:
            model: with ``conditioner`` and ``head``.
            precision: ``FLOAT32`` or ``BFLOAT16_WEIGHTS``.

        Raises:
            Unsupported: if the engine cannot run a part of the model; names it.
            UserError: if a weight is NaN or infinite.
        """
        check_teacher(model)
        check_finite(model)
        conditioner, taps = model.conditioner, np.zeros(0, np.float32)
        if type(conditioner) is LinearPrediction:
            taps, conditioner = _numbers(conditioner.taps), conditioner.conditioner
        self.excitation: ExcitationConditioner | None = None
        if type(conditioner) is ExcitationConditioner:
            self.excitation, conditioner = conditioner, conditioner.wavenet
        self.wavenet: WaveNet = conditioner
        layers = conditioner.layers
        first = layers[0]
        half, residual = first.output.in_channels, first.residual_channels
        skip = first.output.out_channels - residual
        self._gates, self._mixed = gate_order(half), output_order(residual, skip, multiple=LANES)
        self.gate_width, self.residual_width = padded(half), padded(residual)
        self._skip_width = padded(skip)
        self.gate_bias = np.stack([take(layer.dilated.bias, self._gates) for layer in layers])
        self.projections = np.zeros((len(layers), self.gate_bias.shape[1], 0), np.float32)
        if conditioner.conditioning is not None:
            self.projections = np.stack(
                [take(layer.conditioning.weight, self._gates)[..., 0] for layer in layers]
            )
        self.precision = precision
        self._taps, self._head, self._order = taps, model.head, len(taps)
        if self.excitation is not None:
            self._order = self.excitation.source_filter.density.receptive_field

    def net(self, sample_columns: list[int]) -> TeacherNet:
        """The packed net; the conditioning channels ``sample_columns`` are projected at sample rate."""
        arena = Arena(np.float32 if self.precision == FLOAT32 else np.int32)
        rows = np.zeros(5, np.int64)

        def pack(kind: int, *matrices: np.ndarray) -> int:
            """Add matrices of one shape, one after the other, to the arena; returns their offset."""
            packed = [pack_tall_panels(matrix, self.precision) for matrix in matrices]
            if packed:
                rows[kind] = packed[0].rows
            return arena.add(np.concatenate([each.data for each in packed] or [np.zeros(0, arena.dtype)]))

        wavenet, past, now, conditioning, mix = self.wavenet, [], [], [], []
        for index, layer in enumerate(wavenet.layers):
            taps = np.moveaxis(take(layer.dilated.weight, self._gates), 2, 0)
            past.append(pack(0, *taps[:-1]))
            now.append(pack(0, taps[-1]))
            conditioning.append(pack(1, self.projections[index][:, sample_columns]) if sample_columns else 0)
            mix.append(pack(2, take(layer.output.weight, self._mixed)[..., 0]))
        _, first, _, second = wavenet.output
        output = [
            pack(kind, take(layer.weight, whole_vectors(layer.out_channels))[..., 0])
            for kind, layer in ((3, first), (4, second))
        ]
        head, whole = self._head, whole_vectors(wavenet.input.out_channels)
        return TeacherNet(
            weights=arena.whole(),
            past=np.array(past),
            now=np.array(now),
            conditioning=np.array(conditioning),
            mix=np.array(mix),
            output=np.array(output),
            rows=rows,
            dilations=np.array(wavenet.dilations),
            kernel_size=wavenet.kernel_size,
            residual_width=self.residual_width,
            gate_width=self.gate_width,
            skip_width=self._skip_width,
            conditioning_width=padded(len(sample_columns)),
            hidden_width=padded(first.out_channels),
            parameter_width=padded(second.out_channels),
            lift_weight=take(wavenet.input.weight, whole)[:, 0, 0] * np.float32(wavenet.input_gain),
            lift_bias=take(wavenet.input.bias, whole),
            mix_bias=np.concatenate([take(layer.output.bias, self._mixed) for layer in wavenet.layers]),
            hidden_bias=take(first.bias, whole_vectors(first.out_channels)),
            output_bias=take(second.bias, whole_vectors(second.out_channels)),
            slope=np.array([wavenet.output[0].negative_slope, wavenet.output[2].negative_slope], np.float32),
            prediction=self._taps,
            reads_excitation=self.excitation is not None,
            order=self._order,
            head=KINDS[type(head)],
            num_components=getattr(head, "num_components", 1),
            min_log_scale=float(getattr(head, "min_log_scale", 0.0)),
            step=float(getattr(head, "step", 1.0)),
            low=float(getattr(head, "low", -1.0)),
            high=float(getattr(head, "high", 1.0)),
            levels=_levels(head),
        )


KINDS = {LogisticMixtureHead: MIXTURE, NormalHead: NORMAL, MuLawHead: MU_LAW}


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def whole_vectors(channels: int) -> np.ndarray:
    """The order of outputs that are padded to whole vectors, see ``panels.output_order``."""
    return output_order(channels, multiple=LANES)


def _levels(head: nn.Module) -> np.ndarray:
    if type(head) is not MuLawHead:
        return np.zeros(1, np.float32)
    return _numbers(head(torch.zeros(head.num_parameters)).grid).astype(np.float32)
