"""A group of utterances that one thread (or chain of threads) of the sequential engine computes together."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from wavegen.engines.conditioning_windows import Window
from wavegen.engines.sequential.kernel import run_stage
from wavegen.engines.sequential.packed import TeacherNet
from wavegen.engines.sequential.state import IDENTITY, Feed, Memory, WaveformMap
from wavegen.engines.signals import COUNTER_STRIDE
from wavegen.engines.vector.packed_matrix import aligned_zeros
from wavegen.engines.vector.tiles import SHAPES
from wavegen.runtime import prepare_process

_COLUMNS_AT_ONCE = -(-16 // SHAPES.wide[1]) * SHAPES.wide[1]
"""Columns (samples times utterances) whose past is summed in one product: 16, rounded up to whole tiles."""


class UtteranceGroup:
    """Columns that are computed together, and their state.

    For every window, call ``truncate``, ``prepare``, then ``to_speak`` or ``to_read``, then ``stages``.

    Args:
        net: see ``packed.py``.
        members: the utterances' indices in the batch, longest first.
        starts: ``(columns, layers, 2 * gate_width)``, bias plus constant conditioning.
        bounds: the first layer of every stage, and the number of layers at the end.
    """

    def __init__(self, net: TeacherNet, members: np.ndarray, starts: np.ndarray, bounds: list[int]) -> None:
        self.net, self.members, self.starts, self.bounds = net, members, starts, bounds
        self.history = max(1, net.order)
        self.waveform = self.inputs = self.residual = np.zeros((len(members), self.history), np.float32)
        self.inputs, self.residual = self._signals(np.zeros_like)
        self.memory = _memory(net, starts, len(bounds) - 1)

    def truncate(self, columns: int) -> None:
        """Remove all but the first ``columns`` columns."""
        if columns == len(self.members):
            return
        before, rings, ring_next = len(self.members), self.memory.rings, self.memory.ring_next
        self.members, self.waveform = self.members[:columns], self.waveform[:columns]
        self.inputs, self.residual = self._signals(lambda signal: signal[:columns])
        self.starts = self.starts[:columns]
        if columns:
            self.memory = _memory(self.net, self.starts, len(self.bounds) - 1)
            kept = rings.reshape(-1, before, self.net.residual_width)[:, :columns]
            self.memory.rings[:] = kept.ravel()
            self.memory.ring_next[:] = ring_next

    def prepare(self, window: Window, frames: Tensor, kernel: Tensor) -> None:
        """Allocate the window's samples and set its conditioning; ``frames`` is projected already."""
        columns, size = len(self.members), window.stop - window.start
        conditioning = np.zeros((columns, size, self.net.conditioning_width), np.float32)
        conditioning[..., : window.samples.shape[-1]] = window.samples.numpy()[self.members]
        self.waveform = self._extended(self.waveform, size)
        self.inputs, self.residual = self._signals(lambda signal: self._extended(signal, size))
        self._window = Feed(
            start=window.start,
            stop=window.stop,
            history=self.history,
            waveform=self.waveform,
            inputs=self.inputs,
            residual=self.residual,
            map=IDENTITY,
            given=False,
            recorded=np.zeros((0, 0, 0), np.float32),
            u_component=np.zeros((0, 0), np.float32),
            noise=np.zeros((0, 0), np.float32),
            temperature=np.zeros((0, 0), np.float32),
            conditioning=conditioning.ravel(),
            frames=np.ascontiguousarray(frames.numpy()[self.members]).ravel(),
            num_frames=frames.shape[1],
            kernel=kernel.contiguous().numpy().ravel(),
            hop_samples=kernel.shape[1],
        )

    def to_speak(
        self, u_component: np.ndarray, noise: np.ndarray, temperature: np.ndarray, map: WaveformMap = IDENTITY
    ) -> None:
        """Set the window to draw its samples.

        ``u_component``, ``noise``, ``temperature``: ``(samples, batch)``, see :class:`Feed`. ``map``: of the
        whole batch, if the net reads the excitation.
        """
        if self.net.reads_excitation:
            self._window = self._window._replace(map=map.of(self.members))
        self._window = self._window._replace(
            u_component=np.ascontiguousarray(u_component[:, self.members]),
            noise=np.ascontiguousarray(noise[:, self.members]),
            temperature=np.ascontiguousarray(temperature[:, self.members]),
        )

    def to_read(self, given: np.ndarray) -> None:
        """Set the window's inputs of the net to ``given (batch, samples)`` and record their parameters."""
        columns, size = len(self.members), given.shape[1]
        self.inputs[:, self.history :] = given[self.members]
        recorded = np.zeros((columns, size, self.net.parameter_width), np.float32)
        self._window = self._window._replace(given=True, recorded=recorded)

    def _signals(self, change: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of the net and residual, changed; of a net of waveforms both are the waveform."""
        if self.net.reads_excitation:
            return change(self.inputs), change(self.residual)
        return self.waveform, self.waveform

    def _extended(self, signal: np.ndarray, size: int) -> np.ndarray:
        """The last samples of a signal as history, and room for ``size`` samples."""
        unset = np.zeros((len(signal), size), np.float32)
        return np.concatenate([signal[:, -self.history :], unset], axis=1)

    @property
    def spoken(self) -> np.ndarray:
        """The window's samples, ``(columns, samples)``."""
        return self.waveform[:, self.history :]

    @property
    def recorded(self) -> np.ndarray:
        """The window's parameters, ``(columns, samples, parameter_width)``."""
        return self._window.recorded

    def stages(self) -> Iterator[tuple]:
        """The arguments of ``run_stage`` that together compute the window, each for its own thread."""
        num_stages = len(self.bounds) - 1
        counters = np.zeros(num_stages * COUNTER_STRIDE, np.int64)
        counters[0] = self._window.start + 1
        for stage in range(num_stages):
            first, last = self.bounds[stage : stage + 2]
            yield (self.net, self.memory, self._window, stage, first, last, num_stages, counters)


def run_groups(groups: list[UtteranceGroup]) -> None:
    """Run every stage of every group, each in its own thread."""

    def run(call: tuple) -> None:
        prepare_process()  # flushing of denormals is set for each thread
        run_stage(*call)

    threads = [threading.Thread(target=run, args=(call,)) for group in groups for call in group.stages()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory(net: TeacherNet, starts: np.ndarray, num_stages: int) -> Memory:
    columns, layers = starts.shape[:2]
    slots = (net.kernel_size - 1) * net.dilations + 1
    block = np.minimum(net.dilations, max(1, _COLUMNS_AT_ONCE // columns))
    ring_sizes, sums_sizes = slots * columns * net.residual_width, block * columns * 2 * net.gate_width
    mixed = net.residual_width + net.skip_width
    return Memory(
        rings=aligned_zeros(int(ring_sizes.sum())),
        ring_start=np.concatenate([[0], ring_sizes.cumsum()[:-1]]),
        ring_slots=slots,
        ring_next=np.zeros(layers, np.int64),
        sums=aligned_zeros(int(sums_sizes.sum())),
        sums_start=np.concatenate([[0], sums_sizes.cumsum()[:-1]]),
        block=block,
        begun=np.zeros(layers, np.int64),
        length=np.zeros(layers, np.int64),
        starts=np.ascontiguousarray(starts).ravel(),
        flowing=aligned_zeros(columns * mixed),
        flowing_offsets=np.arange(columns) * mixed,
        gates=aligned_zeros(columns * net.gate_width),
        gates_offsets=np.arange(columns) * net.gate_width,
        hidden=aligned_zeros(columns * net.hidden_width),
        hidden_offsets=np.arange(columns) * net.hidden_width,
        parameters=aligned_zeros(columns * net.parameter_width),
        places=np.zeros((num_stages, columns * int(block.max())), np.int64),
    )
