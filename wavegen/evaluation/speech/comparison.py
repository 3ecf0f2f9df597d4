"""Lets all systems speak, and puts together which of them are compared on which utterances.

A metric of one system may be compared with another's only if both were measured on the same utterances. So a
teacher that speaks less than the others is not in their table, but in one of its own, with all models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wavegen.audio.waveform import GRID_STEP, to_grid
from wavegen.data.speech.corpus import Utterance
from wavegen.errors import UserError
from wavegen.evaluation.speech.systems import System
from wavegen.report.systems import BESIDE_TEACHER

Waveforms = Mapping[str, Sequence[Tensor]]


@dataclass(frozen=True)
class Comparison:
    """Systems that are compared with each other, and the utterances that all of them speak.

    Args:
        spoken: one waveform ``(samples,)`` for each utterance, by the key of the system in ``metrics.json``;
            the recording first.
        utterances: with the recordings.
    """

    spoken: Waveforms
    utterances: Sequence[Utterance]

    @property
    def num_samples(self) -> int:
        return sum(len(utterance.waveform) for utterance in self.utterances)


def speak(
    systems: Sequence[System], utterances: Sequence[Utterance], of_teacher: Sequence[Utterance]
) -> dict[str, list[Tensor]]:
    """The waveforms of every system as 16-bit files have them; the teacher speaks ``of_teacher`` instead.

    Raises UserError if a waveform is not finite.
    """
    spoken = {}
    for system in systems:
        texts = of_teacher if system.name == "teacher" else utterances
        spoken[system.name] = [as_written(waveform, system.name) for waveform in system.synthesize(texts)]
    return spoken


def comparisons(
    spoken: Waveforms,
    utterances: Sequence[Utterance],
    of_teacher: Sequence[Utterance],
    *,
    models: Sequence[str],
) -> list[Comparison]:
    """One comparison of all systems if the teacher spoke everything; otherwise two.

    The first is then of all other systems on all utterances, the second of ``models``, among them recording
    and teacher, on the teacher's utterances. There, the other systems' names end in ``_beside_teacher``.
    """
    everything = Comparison(spoken, utterances)
    limited = sum(len(utterance.waveform) for utterance in of_teacher)
    if "teacher" not in spoken or limited == everything.num_samples:
        return [everything]
    beside = {
        name if name == "teacher" else name + BESIDE_TEACHER: [
            waveform[: len(utterance.waveform)]
            for waveform, utterance in zip(spoken[name], of_teacher, strict=False)
        ]
        for name in models
    }
    others = {name: waveforms for name, waveforms in spoken.items() if name != "teacher"}
    return [Comparison(others, utterances), Comparison(beside, of_teacher)]


def as_written(waveform: Tensor, name: str) -> Tensor:
    """The waveform as a 16-bit file has it; raises UserError if it is not finite."""
    if not torch.isfinite(waveform).all():
        raise UserError(f"evaluate: the {name}'s waveform contains NaN or infinity, expected finite samples.")
    return to_grid(waveform.float()).clamp(-1.0, 1.0 - GRID_STEP)
