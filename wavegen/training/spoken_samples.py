"""Speech samples of the model in training, because the likelihood alone does not show the quality."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import cast

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from wavegen.data.speech.corpus import Corpus
from wavegen.interruption import handling, raise_interrupted
from wavegen.linguistics.context import SpeechContext
from wavegen.metrics.level import level_rms
from wavegen.metrics.pitch import harmonicity_db
from wavegen.training.averaging import PolyakAverage


class SpokenSamples(lightning.Callback):
    """At validations, synthesises the beginnings of dev utterances and logs audio, level and harmonicity.

    Level (RMS) and harmonicity (dB) are measured where the *recording* is voiced, and logged beside those of
    the recording: a model that does not sustain vowels is quieter and less harmonic there.

    Args:
        corpus: with the dev utterances.
        num_utterances: number of utterances.
        max_duration_s: of each utterance.
        every_num_validations: synthesise at every n-th validation (sequential synthesis is slow).
        seed: of the noise.
    """

    before = (PolyakAverage,)  # the samples are those of the averaged weights

    def __init__(
        self,
        *,
        corpus: Corpus,
        num_utterances: int = 2,
        max_duration_s: float = 1.0,
        every_num_validations: int = 1,
        seed: int = 0,
    ) -> None:
        self.sample_rate = corpus.sample_rate
        self.every, self.seed, self.count = every_num_validations, seed, 0
        max_frames = round(max_duration_s * corpus.sample_rate / corpus.hop_samples)
        self.recordings, contexts, self.voiced = [], [], []
        for utterance, _ in zip(corpus.utterances("dev"), range(num_utterances), strict=False):
            frames = min(max_frames, utterance.context.num_frames)
            self.recordings.append(utterance.waveform[: frames * corpus.hop_samples])
            contexts.append(utterance.context.cut(0, frames))
            self.voiced.append(contexts[-1]["voiced"])
        self.context = SpeechContext.collate(contexts)
        self.lengths = torch.tensor([len(recording) for recording in self.recordings])

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.count = state_dict["count"]

    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if (self.count + 1) % self.every == 0 and trainer.is_global_zero:
            self.log_speech(trainer, module)
        self.count += 1

    def log_speech(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        context = self.context.to(module.device)
        # This may take minutes and may be interrupted at once, unless other processes wait for this one.
        with handling(raise_interrupted) if trainer.world_size == 1 else nullcontext():
            speech = module.speak(context, self.lengths, torch.Generator().manual_seed(self.seed)).cpu()
        values: dict[str, float] = {}
        for name, waveforms in (("speech", speech), ("recording", self.recordings)):
            pairs = list(zip(waveforms, self.voiced, self.lengths.tolist(), strict=True))
            values[f"{name}_level"] = mean(level_rms(w[:n], voiced > 0.5) for w, voiced, n in pairs)
            values[f"{name}_harmonicity_db"] = mean(
                harmonicity_db(w[:n], self.sample_rate, voiced > 0.5) for w, voiced, n in pairs
            )
        module.log_dict({f"spoken/{name}": value for name, value in values.items()}, rank_zero_only=True)
        writer = cast(TensorBoardLogger, trainer.logger).experiment
        for index, (waveform, length) in enumerate(zip(speech, self.lengths.tolist(), strict=True)):
            audio = waveform[:length].clamp(-1, 1)
            writer.add_audio(f"spoken/{index}", audio, trainer.global_step, self.sample_rate)
            if self.count + 1 == self.every:
                writer.add_audio(f"recording/{index}", self.recordings[index], 0, self.sample_rate)


def mean(values: Iterable[float]) -> float:
    """Mean without NaN values; NaN if no other value exists."""
    finite = [value for value in values if value == value]
    return sum(finite) / len(finite) if finite else float("nan")
