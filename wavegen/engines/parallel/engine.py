"""The parallel engine: computes a student's waveform window by window, in constant memory."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import torch
from torch import Tensor

from wavegen.engines.parallel import tables as at
from wavegen.engines.parallel.kernel import Span, run_student
from wavegen.engines.parallel.packed import PackedStudent
from wavegen.engines.signals import COUNTER_STRIDE
from wavegen.engines.source_filter.engine import VoiceEngine
from wavegen.engines.torch_threads import plain_arithmetic
from wavegen.engines.vector.packed_matrix import aligned_zeros
from wavegen.engines.vector.panels import PANEL
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.student import WaveNetStudent
from wavegen.runtime import prepare_process
from wavegen.workers import available_cores

BLOCK_SAMPLES = 960
"""Samples of each thread that are computed together through all layers, limited by ``CAPACITY``. With fewer,
a thread reads more of its past from other cores' caches; with more, its rows exceed its second-level
cache."""

CAPACITY = 2048
"""Samples that fit in the layers' inputs before the past is moved back to the front."""

_FINISHED = np.iinfo(np.int64).max


class StudentEngine:
    """A student with packed weights; ``start`` begins a batch of utterances.

    The voice of a source-filter model behind the flows runs in an engine of its own, always in float32.

    For noise z it computes x = g(z; context) like ``student.rsample_with_conditionals``, up to rounding: sums
    have another order. The result is bit-identical for any number of threads and any block size.

    Cost per sample: two operations for each weight of the dilated and 1×1 convolutions, and a few per cent.

    Args:
        student: a :class:`WaveNetStudent`, float32, on the CPU; its weights are read here, once.
        precision: of the products, "float32" or "bfloat16" (both factors rounded, summed in float32).
        num_threads: None for the cores that this process may use.
        block_samples: samples that are computed together through all layers; None to suit the caches.

    Raises:
        Unsupported: if the engine cannot run a part of the student; names it.
    """

    @plain_arithmetic()
    def __init__(
        self,
        student: WaveNetStudent,
        *,
        precision: str = "float32",
        num_threads: int | None = None,
        block_samples: int | None = None,
    ) -> None:
        self.num_threads = num_threads or available_cores()
        self.block = block_samples or min(self.num_threads * BLOCK_SAMPLES, CAPACITY)
        self.packed = PackedStudent(student, precision=precision, capacity=max(CAPACITY, self.block))
        self.voice = None if student.voice is None else VoiceEngine(student.voice, num_threads=num_threads)

    @property
    def window_samples(self) -> int:
        """Samples whose conditioning is computed at once; blocks of a multiple of this length are fastest."""
        return self.packed.window_samples

    def start(self, context: SpeechContext | None, lengths: Sequence[int]) -> "StudentSpeech":
        """Start a batch of utterances.

        Args:
            context: conditioning of the utterances, all frames.
            lengths: of the utterances, in samples.

        Raises:
            UserError: if the context has another batch size.
        """
        return StudentSpeech(self, context, lengths)


class StudentSpeech:
    """A batch of utterances in synthesis; see ``StudentEngine.start``.

    Memory: per utterance and layer ``(past + 2048) · residual_channels`` floats; half of that in bfloat16.
    """

    @plain_arithmetic()
    def __init__(self, engine: StudentEngine, context: SpeechContext | None, lengths: Sequence[int]) -> None:
        if context and context.batch_size != len(lengths):
            raise UserError(f"the context has a batch of {context.batch_size}, expected {len(lengths)}")
        self.packed, self.block, self.num_threads = engine.packed, engine.block, engine.num_threads
        self.context, self.lengths = context, list(lengths)
        self.time, self._window = 0, -1
        self._utterances = [_Utterance(self.packed) for _ in self.lengths]
        self._voice = None if engine.voice is None else engine.voice.start(context, lengths)
        for flow in self.packed.flows:
            constants = flow.windows.constants(context, len(self.lengths))
            for utterance, row in zip(self._utterances, constants, strict=True):
                flow.write_starts(row, utterance.speech.starts)
        columns = -(-self.block // at.COLUMNS) * at.COLUMNS
        self._scratch = [_scratch(self.packed, columns) for _ in range(self.num_threads)]
        self._counters = np.zeros(self.num_threads * COUNTER_STRIDE, np.int64)
        # All threads belong to the engine, because flushing of denormals is set for each thread.
        self._threads = ThreadPoolExecutor(self.num_threads, "wavegen-student", initializer=prepare_process)

    @plain_arithmetic()
    def advance(self, noise: Tensor) -> Tensor:
        """The next samples, ``(batch, samples)`` from noise of that shape; zeros beyond each length."""
        spoken = torch.zeros_like(noise)
        begin = 0
        while begin < noise.shape[1]:
            index, offset = divmod(self.time, self.packed.window_samples)
            if index != self._window:
                self._enter(index)
            count = min(noise.shape[1] - begin, self.packed.window_samples - offset)
            for row, utterance in enumerate(self._utterances):
                inside = min(count, self.lengths[row] - self.time)
                if inside > 0:
                    piece = slice(begin, begin + inside)
                    lines = utterance.speech.lines
                    lines[0, 1 : 1 + inside] = noise[row, piece].numpy()
                    self._run(utterance, inside, offset)
                    spoken[row, piece] = torch.from_numpy(lines[-1, 1 : 1 + inside])
                    lines[:, 0] = lines[:, inside]
            begin += count
            self.time += count
        return spoken if self._voice is None else self._voice.advance(spoken)

    def close(self) -> None:
        """End the threads and free the buffers."""
        self._threads.shutdown()
        if self._voice is not None:
            self._voice.close()
        self._utterances, self._scratch, self.context = [], [], None
        self.packed = None  # type: ignore[assignment]  # a closed engine is not used again

    def _enter(self, index: int) -> None:
        """Write the conditioning of window number ``index`` into the buffers."""
        for flow in self.packed.flows:
            if flow.windows.hop_samples:
                window = flow.windows.window(self.context, index, max(self.lengths), len(self.lengths))
                for row, utterance in enumerate(self._utterances):
                    speech = utterance.speech
                    flow.write_window(window.samples[row], window.frames[row], speech.side, speech.frames)
        self._window = index

    def _run(self, utterance: "_Utterance", count: int, window_start: int) -> None:
        self._counters[:] = 0
        span = Span(count, window_start, utterance.position, self.packed.capacity, self.block)
        threads = []
        try:
            for thread in range(self.num_threads):
                threads.append(
                    self._threads.submit(
                        run_student,
                        self.packed.net,
                        utterance.speech,
                        self._scratch[thread],
                        span,
                        self._counters,
                        thread,
                        self.num_threads,
                    )
                )
        except BaseException:
            # Threads that have started must not wait for threads that could not start.
            self._counters[COUNTER_STRIDE * len(threads) :] = _FINISHED
            raise
        finally:
            wait(threads)
        utterance.position = threads[0].result()


class _Utterance:
    """State of one utterance; all zeros at its beginning."""

    def __init__(self, packed: PackedStudent) -> None:
        self.position = 0
        self.speech = at.Speech(
            lines=np.zeros((len(packed.flows) + 1, 1 + packed.window_samples), np.float32),
            inputs=aligned_zeros(packed.inputs_size, packed.element),
            starts=aligned_zeros(packed.starts_size),
            frames=aligned_zeros(packed.frames_size),
            side=aligned_zeros(packed.side_size, packed.element),
        )


def _scratch(packed: PackedStudent, columns: int) -> at.Scratch:
    return at.Scratch(
        stream=aligned_zeros(columns * packed.stream_row),
        hidden=aligned_zeros(columns * packed.hidden_row, packed.element),
        sums=aligned_zeros(at.COLUMNS * PANEL),
        offsets=np.zeros(2 * at.COLUMNS, np.intp),
    )
