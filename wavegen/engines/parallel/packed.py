"""Packs a student for the compiled loop: weights in panels, array offsets in tables."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from wavegen.engines.conditioning_windows import WINDOW_FRAMES, ConditioningWindows, Unsupported
from wavegen.engines.parallel import tables as at
from wavegen.engines.supported_models import check_student
from wavegen.engines.vector.packed_matrix import padded
from wavegen.engines.vector.panels import (
    PANEL,
    Arena,
    gate_order,
    output_order,
    pack_panels,
    pack_taps,
    take,
    weight_rows,
    whole_panels,
)
from wavegen.engines.vector.tiles import BFLOAT16, FLOAT32
from wavegen.engines.vector.vector_code import LANES
from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.residual_layer import GatedResidualLayer
from wavegen.nets.wavenet import WaveNet

PRECISIONS = {"float32": FLOAT32, "bfloat16": BFLOAT16}
"""Precisions of the factors of products; sums, gates and the residual stream are float32 in both."""


class PackedStudent:
    """The packed weights and tables of one student with its current weights.

    Args:
        student: of WaveNets in float32 on the CPU.
        precision: of the products, a key of ``PRECISIONS``.
        capacity: samples that fit in the layers' inputs, beside their past.

    Attributes:
        net: for the compiled loop.
        flows: each flow's conditioning.
        window_samples: of the grid of windows, the same for all flows.
        element: type of inputs of products, float32 or words (int32).
        inputs_size, side_size: array sizes in elements of inputs; ``starts_size``, ``frames_size``: in
            floats.
        stream_row, hidden_row: size of a column of scratch, in floats and in elements of inputs.

    Raises:
        Unsupported: if the engine cannot run a part of the student; names it.
    """

    def __init__(self, student: WaveNetStudent, *, precision: str, capacity: int) -> None:
        check_student(student)
        self.precision, self.capacity = PRECISIONS[precision], capacity
        self.element = np.float32 if self.precision == FLOAT32 else np.int32
        self.lane_elements = LANES if self.precision == FLOAT32 else LANES // 2
        wavenets = [cast(WaveNet, step.conditioner) for step in student.steps]
        windows = [ConditioningWindows(wavenet.conditioning) for wavenet in wavenets]
        hops = {each.hop_samples for each in windows} - {0}
        if len(hops) > 1:
            raise Unsupported(f"the flows differ in samples per frame: {sorted(hops)}")
        self.hop_samples = max(hops, default=0)
        self.window_samples = max(w.window_samples for w in windows if w.hop_samples == self.hop_samples)
        self._weights, self._fine = Arena(self.element), Arena(np.float32)
        self.inputs_size = self.starts_size = self.frames_size = self.side_size = 0
        self.stream_row = self.hidden_row = PANEL
        self.flows: list[FlowConditioning] = []
        flow_rows: list[np.ndarray] = []
        layer_rows: list[np.ndarray] = []
        for wavenet, each in zip(wavenets, windows, strict=True):
            table = self._flow(wavenet, each, len(layer_rows))
            rows = [
                self._layer(wavenet, cast(GatedResidualLayer, layer), index, each, table)
                for index, layer in enumerate(wavenet.layers)
            ]
            self.flows.append(FlowConditioning(wavenet, each, table, rows, self.element))
            flow_rows.append(table)
            layer_rows += rows
        self.net = at.StudentNet(
            np.stack(flow_rows), np.stack(layer_rows), self._weights.whole(), self._fine.whole()
        )

    def _flow(self, wavenet: WaveNet, windows: ConditioningWindows, first_layer: int) -> np.ndarray:
        residual, half = wavenet.input.out_channels, wavenet.layers[0].output.in_channels
        skips = wavenet.layers[0].output.out_channels - residual
        first, last = wavenet.output[1], wavenet.output[3]
        table = np.zeros((), at.FLOW)
        table["first_layer"], table["end_layer"] = first_layer, first_layer + len(wavenet.layers)
        table["width"], table["skips"] = whole_panels(residual), whole_panels(skips)
        table["groups"] = padded(residual) // LANES
        table["row"] = table["groups"] * self.lane_elements
        table["taps"], table["tap_rows"] = wavenet.kernel_size, weight_rows(residual, self.precision)
        table["gate_panels"] = padded(half) // LANES
        table["hidden_row"] = table["gate_panels"] * self.lane_elements
        table["hidden_rows"] = weight_rows(half, self.precision)
        side_channels = len(windows.sample_columns)
        table["side_row"] = padded(side_channels) // LANES * self.lane_elements
        table["side_rows"] = weight_rows(side_channels, self.precision)
        table["side"] = self.side_size
        self.side_size += (self.window_samples + at.COLUMNS) * int(table["side_row"])
        if windows.frame_columns:
            table["hop"], table["kernel"] = windows.hop_samples, self._fine.add(windows.kernel.numpy())
            table["frame_row"] = len(wavenet.layers) * table["gate_panels"] * PANEL
            table["frames"] = self.frames_size
            self.frames_size += (WINDOW_FRAMES + 2) * int(table["frame_row"])
        order = output_order(residual)
        gain = np.float32(wavenet.input_gain)
        lift = [take(wavenet.input.weight, order)[:, 0, 0] * gain, take(wavenet.input.bias, order)]
        table["lift"] = self._fine.add(np.stack(lift))
        order = output_order(first.out_channels)
        table["read"] = self._weights.add(pack_panels(take(first.weight, order)[:, :, 0], self.precision))
        table["read_row"] = (table["skips"] or table["width"]) // LANES * self.lane_elements
        table["read_rows"] = weight_rows(first.in_channels, self.precision)
        table["read_panels"] = len(order) // PANEL
        table["read_bias"] = self._fine.add(take(first.bias, order))
        both = np.zeros((len(order) + 1, LANES), np.float32)
        both[: last.in_channels, :2] = last.weight.detach().numpy()[:, :, 0].T
        both[-1, :2] = take(last.bias, np.arange(2))
        table["last"] = self._fine.add(both)
        self.stream_row = max(self.stream_row, int(table["width"] + table["skips"]), len(order))
        self.hidden_row = max(self.hidden_row, int(table["hidden_row"]), int(table["read_row"]))
        return table

    def _layer(
        self,
        wavenet: WaveNet,
        layer: GatedResidualLayer,
        index: int,
        windows: ConditioningWindows,
        table: np.ndarray,
    ) -> np.ndarray:
        half, residual = layer.output.in_channels, layer.residual_channels
        row = np.zeros((), at.LAYER)
        row["past"], row["dilation"] = layer.past, layer.dilated.dilation[0]
        row["inputs"] = self.inputs_size
        self.inputs_size += (layer.past + self.capacity + at.COLUMNS) * int(table["row"])
        order = gate_order(half)
        panels = pack_taps(take(layer.dilated.weight, order), self.precision)
        if windows.sample_columns:
            assert layer.conditioning is not None
            side = take(layer.conditioning.weight, order)[:, windows.sample_columns, 0]
            panels = np.concatenate([panels, pack_panels(side, self.precision)], axis=1)
        row["gates"] = self._weights.add(panels)
        row["frame"] = index * len(order)
        row["start"] = self.starts_size
        self.starts_size += len(order)
        order = output_order(residual, layer.output.out_channels - residual)
        row["output"] = self._weights.add(
            pack_panels(take(layer.output.weight, order)[:, :, 0], self.precision)
        )
        row["output_bias"] = self._fine.add(take(layer.output.bias, order))
        return row


class FlowConditioning:
    """Writes one flow's conditioning into the arrays of the compiled loop.

    Args:
        wavenet: the flow's WaveNet.
        windows: of its conditioning.
        table: the flow's row of the table of flows.
        layer_rows: its rows of the table of layers.
        element: type of inputs of products, float32 or words.
    """

    def __init__(
        self,
        wavenet: WaveNet,
        windows: ConditioningWindows,
        table: np.ndarray,
        layer_rows: list[np.ndarray],
        element: type,
    ) -> None:
        self.windows, self.table, self.element = windows, table, element
        self.start = int(layer_rows[0]["start"])
        order = gate_order(wavenet.layers[0].output.in_channels)
        self.biases = torch.from_numpy(
            np.concatenate([take(layer.dilated.bias, order) for layer in wavenet.layers])
        )
        weights = np.zeros((len(self.biases), 0), np.float32)
        if wavenet.conditioning is not None:
            weights = np.concatenate(
                [take(layer.conditioning.weight, order)[:, :, 0] for layer in wavenet.layers]
            )
        self.constant_weights = torch.from_numpy(weights[:, windows.constant_columns].copy())
        self.frame_weights = torch.from_numpy(weights[:, windows.frame_columns].T.copy())

    def write_starts(self, constants: Tensor, starts: np.ndarray) -> None:
        """Write biases plus the projection of ``constants (constant channels,)`` for all gates."""
        whole = torch.mv(self.constant_weights, constants) + self.biases
        starts[self.start : self.start + len(whole)] = whole.numpy()

    def write_window(self, samples: Tensor, frames: Tensor, side: np.ndarray, projected: np.ndarray) -> None:
        """Write one utterance's part of a :class:`Window`: projected frames, samples as product inputs."""
        if frames.numel():
            begin, width = self.table["frames"], self.table["frame_row"]
            place = torch.from_numpy(
                projected[begin : begin + len(frames) * width].reshape(len(frames), width)
            )
            torch.mm(frames, self.frame_weights, out=place)
        if samples.numel():
            begin, width = self.table["side"], self.table["side_row"]
            place = torch.from_numpy(side[begin : begin + len(samples) * width].reshape(len(samples), width))
            if self.element is np.float32:
                place[:, : samples.shape[1]] = samples
            else:
                place.view(torch.bfloat16)[:, : samples.shape[1]] = samples.bfloat16()
