"""The source-filter engine: computes the waveform of a source-filter voice block by block."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wavegen.engines.computed_ahead import computed_ahead
from wavegen.engines.source_filter.kernel import filter_noise
from wavegen.engines.source_filter.tables import WINDOW_FRAMES, Tables, VoiceTables
from wavegen.engines.supported_models import check_voice
from wavegen.engines.torch_threads import plain_arithmetic
from wavegen.errors import UserError
from wavegen.flows.causal_affine import CausalAffineSeries
from wavegen.linguistics.context import SpeechContext
from wavegen.workers import available_cores


class VoiceEngine:
    """Runs the voice of a source-filter model; ``start`` begins a batch of utterances.

    For noise z it computes x = g(z; context) like ``voice.generate``, up to float32 rounding. The result is
    bit-identical for any block size.

    Args:
        voice: a series of a ``LinearPrediction`` and a ``MixedSource``, float32, on the CPU. PyTorch
            computes its nets, a window of frames at a time.
        num_threads: if above 1, the next window is computed in a thread of its own.

    Raises:
        Unsupported: if the engine cannot run a part of the voice; names it.
    """

    def __init__(self, voice: CausalAffineSeries, *, num_threads: int | None = None) -> None:
        check_voice(voice, {module: name for name, module in voice.named_modules()})
        self.voice, self.num_threads = voice, num_threads or available_cores()

    @property
    def window_samples(self) -> int:
        """Samples whose tables are computed at once; blocks of a multiple of this length are fastest."""
        return WINDOW_FRAMES * self.voice.members[0].hop_samples

    def start(self, context: SpeechContext | None, lengths: Sequence[int]) -> "VoiceSpeech":
        """Start a batch of utterances.

        Args:
            context: conditioning of the utterances, all frames.
            lengths: of the utterances, in samples.

        Raises:
            UserError: if the context lacks an entry, is too short or has another batch size.
        """
        return VoiceSpeech(self, context, lengths)


class VoiceSpeech:
    """A batch of utterances in synthesis; see ``VoiceEngine.start``.

    Memory: tables and outputs of one window of each utterance.
    """

    @plain_arithmetic()
    def __init__(self, engine: VoiceEngine, context: SpeechContext | None, lengths: Sequence[int]) -> None:
        if context and context.batch_size != len(lengths):
            raise UserError(f"the context has a batch of {context.batch_size}, expected {len(lengths)}")
        filter, mixture = engine.voice.members
        source = VoiceTables(filter, mixture, context, max(lengths))
        num_windows = -(-max(lengths) // engine.window_samples)
        self._coming = computed_ahead(source.window, num_windows, in_thread=engine.num_threads > 1)
        self._tables: Tables | None = None
        self.lengths, self.time, self._window = list(lengths), 0, -1
        self.window_samples, self.hop_samples = engine.window_samples, filter.hop_samples
        # The last outputs of the filters before the window, and those of the window.
        shapes = [(len(lengths), order + self.window_samples) for order in (mixture.order, filter.order)]
        self._noise_past, self._past = (np.zeros(shape) for shape in shapes)

    @plain_arithmetic()
    def advance(self, noise: Tensor) -> Tensor:
        """The next samples, ``(batch, samples)`` from noise of that shape; zeros beyond each length."""
        spoken, begin = torch.zeros_like(noise), 0
        given, result = noise.contiguous().numpy(), spoken.numpy()
        while begin < noise.shape[1]:
            index, offset = divmod(self.time, self.window_samples)
            count = min(noise.shape[1] - begin, self.window_samples - offset)
            if index != self._window and self.time < max(self.lengths):
                self._enter(index)
            for row, length in enumerate(self.lengths):
                here = slice(begin, begin + min(count, length - self.time))
                if here.stop > begin:
                    filter_noise(
                        self._tables, row, self.hop_samples, offset, given[row, here], self._noise_past[row],
                        self._past[row], result[row, here],
                    )  # fmt: skip
            begin += count
            self.time += count
        return spoken

    def close(self) -> None:
        """Free the buffers."""
        self._coming.close()
        self._tables = None
        self._noise_past = self._past = np.zeros((0, 0))

    def _enter(self, index: int) -> None:
        """Compute the tables of window number ``index``; the last outputs are the past of its samples."""
        if self._window >= 0:
            for past in (self._noise_past, self._past):
                order = past.shape[1] - self.window_samples
                past[:, :order] = past[:, self.window_samples :]
        self._tables, self._window = next(self._coming), index
