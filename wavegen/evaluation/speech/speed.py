"""How many samples a second one utterance gets: student, teacher with cached states, teacher without."""

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
    """The rate at which ``system`` speaks the beginning of ``utterance``, alone.

    The beginning is one frame long at first and grows fourfold as long as that keeps within ``max_seconds``
    of wall time; the last and longest one counts. So compilation and warm-up do not.
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
    """The teacher's rate where every sample costs a pass over the receptive field before it.

    What sampling without cached states comes to, measured over a few samples: at most ``max_steps``, and no
    new one after ``max_seconds``. The first pass warms up and does not count.
    """
    device = next(teacher.parameters()).device
    past_samples = min(teacher.receptive_field, utterance.waveform.shape[-1])
    num_frames = -(-past_samples // hop_samples) + 1
    window = utterance.waveform[None, :past_samples].to(device)
    context = SpeechContext.collate([utterance.context.cut(0, num_frames)]).to(device)

    def one_sample() -> float:
        start = time.perf_counter()
        # The newest sample's law is all that is used; .cpu() also waits for an accelerator.
        teacher.conditionals(window, context).sample()[..., -1].cpu()
        return time.perf_counter() - start

    one_sample()
    durations: list[float] = []
    while len(durations) < max_steps and sum(durations) < max_seconds:
        durations.append(one_sample())
    return len(durations) / sum(durations)
