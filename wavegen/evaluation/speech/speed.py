"""Measures the speed of synthesis of one utterance, by any system or by a teacher without cached states."""

import time

import torch

from wavegen.data.speech.corpus import Utterance
from wavegen.evaluation.speech.systems import System
from wavegen.evaluation.speech.test_set import beginning
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import SequentialModel


def samples_per_second(
    system: System, utterance: Utterance, hop_samples: int, *, max_seconds: float = 2.0
) -> float:
    """Samples per second at which ``system`` synthesises the beginning of ``utterance``.

    The beginning is one frame long at first and grows by a factor of 4 as long as the expected wall time is
    within ``max_seconds``. Only the longest one counts, so compilation and warm-up are excluded.
    """
    num_samples = hop_samples
    while True:
        excerpt = beginning(utterance, num_samples, hop_samples)
        start = time.perf_counter()
        (waveform,) = system.synthesize([excerpt])
        seconds = time.perf_counter() - start
        if num_samples >= utterance.waveform.shape[-1] or (
            num_samples > hop_samples and 4 * seconds > max_seconds
        ):
            return waveform.shape[-1] / seconds
        num_samples *= 4


@torch.inference_mode()
def uncached_samples_per_second(
    teacher: SequentialModel,
    utterance: Utterance,
    hop_samples: int,
    *,
    max_steps: int = 20,
    max_seconds: float = 10.0,
) -> float:
    """The teacher's samples per second without cached states: one pass over the receptive field per sample.

    Measured over at most ``max_steps`` samples; no new sample starts after ``max_seconds``. The first pass is
    a warm-up and does not count.
    """
    device = next(teacher.parameters()).device
    past_samples = min(teacher.receptive_field, utterance.waveform.shape[-1])
    num_frames = -(-past_samples // hop_samples) + 1
    window = utterance.waveform[None, :past_samples].to(device)
    context = SpeechContext.collate([utterance.context.cut(0, num_frames)]).to(device)

    def one_sample() -> float:
        start = time.perf_counter()
        # Only the newest sample is used; .cpu() also waits for an accelerator.
        teacher.conditionals(window, context).sample()[..., -1].cpu()
        return time.perf_counter() - start

    one_sample()
    durations: list[float] = []
    while len(durations) < max_steps and sum(durations) < max_seconds:
        durations.append(one_sample())
    return len(durations) / sum(durations)
