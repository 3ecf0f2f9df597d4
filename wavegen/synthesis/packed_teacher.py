"""A causal WaveNet as the sequential engine reads it: checked, padded to whole vectors, packed."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.nets.linear_prediction import LinearPrediction
from wavegen.nets.wavenet import WaveNet
from wavegen.synthesis.conditioning_windows import Unsupported
from wavegen.synthesis.products import PANEL
from wavegen.synthesis.supported_models import check_finite, check_float32, check_wavenet
from wavegen.synthesis.tiles import PackedMatrix, aligned_zeros, padded

MIXTURE, NORMAL, MU_LAW = range(3)
"""How a sample is drawn from its parameters."""


class Net(NamedTuple):
    """The numbers of a teacher. Matrices lie in ``weights``, each at a place given in elements; sizes ending
    in ``_width`` are padded to whole vectors, and what is padded is zero.

    Per layer l: ``past[l]`` the taps before the newest, one after the other, ``now[l]`` the newest tap,
    ``conditioning[l]`` the projection of what is conditioned on at sample rate, all onto ``2 · gate_width``
    channels (signal, then gate); ``mix[l]`` onto ``residual_width + skip_width`` channels. ``rows`` counts
    the rows (inputs, or pairs of them) of a tap, of the conditioning, of the mix and of the two output
    layers.
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
    head: int
    num_components: int
    min_log_scale: float
    step: float
    low: float
    high: float
    levels: np.ndarray


class PackedTeacher:
    """A teacher's ``Net`` beside what PyTorch still does for it.

    Attributes:
        net: for compiled code.
        wavenet: the conditioner that was packed.
        gate_bias: ``(layers, 2 * gate_width)``.
        projections: of every layer's conditioning, ``(layers, 2 * gate_width, channels)``.
    """

    def __init__(self, model: nn.Module, precision: int) -> None:
        """
        Args:
            model: with ``conditioner`` and ``head``.
            precision: ``FLOAT32`` or ``BFLOAT16_WEIGHTS``.

        Raises:
            Unsupported: naming the part that the engine cannot run.
            UserError: where a weight is not a number, or infinite.
        """
        conditioner, taps = model.conditioner, np.zeros(0, np.float32)
        if type(conditioner) is LinearPrediction:
            taps, conditioner = _numbers(conditioner.taps), conditioner.conditioner
        check_wavenet(conditioner, {module: name for name, module in model.named_modules()})
        check_float32(model)
        if type(model.head) not in HEADS:
            raise Unsupported(f"head is a {type(model.head).__name__}")
        check_finite(model)
        self.wavenet: WaveNet = conditioner
        layers = conditioner.layers
        first = layers[0]
        half, skip = first.output.in_channels, first.output.out_channels - first.residual_channels
        self.gate_width, self.residual_width = padded(half), padded(first.residual_channels)
        self._half, self._residual, self._skip = half, first.residual_channels, skip
        self._skip_width = padded(skip)
        self.gate_bias = np.stack(
            [self._halves(_numbers(layer.dilated.bias)[:, None])[:, 0] for layer in layers]
        )
        self.projections = None
        if conditioner.conditioning is not None:
            self.projections = np.stack(
                [self._halves(_numbers(layer.conditioning.weight)[..., 0]) for layer in layers]
            )
        self.precision = precision
        self._taps, self._head = taps, model.head

    def net(self, sample_columns: list[int]) -> Net:
        """Packed, with the conditioning channels ``sample_columns`` projected at sample rate."""
        packing = _Packing(self.precision)
        layers, wavenet = self.wavenet.layers, self.wavenet
        past, now, conditioning, mix = [], [], [], []
        rows = np.zeros(5, np.int64)
        for index, layer in enumerate(layers):
            taps = [self._halves(tap) for tap in np.moveaxis(_numbers(layer.dilated.weight), 2, 0)]
            past.append(packing.add(*taps[:-1]) if len(taps) > 1 else 0)
            now.append(packing.add(taps[-1]))
            rows[0] = packing.rows
            conditioning.append(0)
            if sample_columns:
                conditioning[-1] = packing.add(self.projections[index][:, sample_columns])
                rows[1] = packing.rows
            mix.append(packing.add(self._mixed(_numbers(layer.output.weight)[..., 0])))
            rows[2] = packing.rows
        _, first, _, second = wavenet.output
        output = [packing.add(_numbers(first.weight)[..., 0])]
        rows[3] = packing.rows
        output.append(packing.add(_numbers(second.weight)[..., 0]))
        rows[4] = packing.rows
        head = self._head
        return Net(
            weights=packing.array(),
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
            lift_weight=_widened(_numbers(wavenet.input.weight)[:, 0, 0] * np.float32(wavenet.input_gain)),
            lift_bias=_widened(_numbers(wavenet.input.bias)),
            mix_bias=np.concatenate(
                [self._mixed(_numbers(layer.output.bias)[:, None])[:, 0] for layer in layers]
            ),
            hidden_bias=_widened(_numbers(first.bias)),
            output_bias=_widened(_numbers(second.bias)),
            slope=np.array([wavenet.output[0].negative_slope, wavenet.output[2].negative_slope], np.float32),
            prediction=self._taps,
            head=HEADS[type(head)],
            num_components=getattr(head, "num_components", 1),
            min_log_scale=float(getattr(head, "min_log_scale", 0.0)),
            step=float(getattr(head, "step", 1.0)),
            low=float(getattr(head, "low", -1.0)),
            high=float(getattr(head, "high", 1.0)),
            levels=_levels(head),
        )

    def _halves(self, matrix: np.ndarray) -> np.ndarray:
        """Signal and gate, each padded to whole vectors."""
        out = np.zeros((2, self.gate_width, matrix.shape[1]), np.float32)
        out[:, : self._half] = matrix.reshape(2, self._half, -1)
        return out.reshape(2 * self.gate_width, -1)

    def _mixed(self, matrix: np.ndarray) -> np.ndarray:
        """Residual and skip channels, each padded to whole vectors."""
        out = np.zeros((self.residual_width + self._skip_width, matrix.shape[1]), np.float32)
        out[: self._residual] = matrix[: self._residual]
        out[self.residual_width : self.residual_width + self._skip] = matrix[self._residual :]
        return out


class _Packing:
    """Matrices one after another in one flat array, each in panels as ``add_product`` reads them."""

    def __init__(self, precision: int) -> None:
        self.precision, self.parts, self.size, self.rows = precision, [], 0, 0

    def add(self, *matrices: np.ndarray) -> int:
        """Appends matrices of one shape; returns the place of the first and leaves ``rows`` of each."""
        place = self.size
        for matrix in matrices:
            for first in range(0, len(matrix), PANEL):
                packed = PackedMatrix.of(matrix[first : first + PANEL], self.precision)
                self.parts.append(packed.data)
                self.size += len(packed.data)
                self.rows = packed.rows
        return place

    def array(self) -> np.ndarray:
        data = aligned_zeros(self.size, self.parts[0].dtype)
        return np.concatenate(self.parts, out=data)


HEADS = {LogisticMixtureHead: MIXTURE, NormalHead: NORMAL, MuLawHead: MU_LAW}


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _widened(vector: np.ndarray) -> np.ndarray:
    out = np.zeros(padded(len(vector)), np.float32)
    out[: len(vector)] = vector
    return out


def _levels(head: nn.Module) -> np.ndarray:
    if type(head) is not MuLawHead:
        return np.zeros(1, np.float32)
    return _numbers(head(torch.zeros(head.num_parameters)).grid).astype(np.float32)
