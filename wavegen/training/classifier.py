"""Training of the phone classifier: cross-entropy of the corpus's phones, frame by frame."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch.nn.functional as F
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from wavegen.audio.pitch import FRAME_S
from wavegen.calls import build
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.phone_targets import PhoneTargets
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.objectives.reduction import masked_mean
from wavegen.runs.classifier import CLASSIFIER
from wavegen.runs.weights import build_model
from wavegen.training.data import SegmentData
from wavegen.training.fit import fit
from wavegen.training.module import TrainingModule
from wavegen.training.selection import BestOnDev
from wavegen.training.settings import fit_settings, optimisation
from wavegen.training.speech_stage import facts_of
from wavegen.training.stage import run_stage


class ClassifierTraining(TrainingModule):
    """Minimises the cross-entropy per scored frame; logs it, in nats, and the accuracy.

    Frames whose receptive field reaches beyond the window are not scored.

    Args:
        classifier: the model.
        targets: gives the phones of a context.
        hop_samples: samples in a frame.
    """

    def __init__(
        self,
        *,
        classifier: PhoneClassifier,
        targets: Callable[[SpeechContext], Tensor],
        hop_samples: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classifier, self.targets, self.hop_samples = classifier, targets, hop_samples

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Means over the scored frames."""
        logits = self.classifier(batch.waveform).float()  # autocast may have left bfloat16
        phones = self.targets(batch.context)[:, : logits.shape[-1]]
        scored = batch.mask[:, :: self.hop_samples].clone()  # segments begin at frames
        scored[:, logits.shape[-1] - future_frames(self.classifier, self.hop_samples) :] = False
        cross_entropy = F.cross_entropy(logits, phones, reduction="none")
        correct = (logits.argmax(1) == phones).to(logits.dtype)
        return {
            "cross_entropy_nats": masked_mean(cross_entropy, scored),
            "accuracy": masked_mean(correct, scored),
        }

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        scores = self.scores(batch)
        loss = self.check_finite("cross-entropy", scores["cross_entropy_nats"])
        self.log_all("train", {name: value.detach() for name, value in scores.items()}, len(batch.waveform))
        self.log("accuracy", scores["accuracy"], prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor | int]:
        scores, size = self.scores(batch), int(batch.mask.sum())
        self.log_all("dev", scores, size)
        self.log("dev_accuracy", scores["accuracy"], prog_bar=True, logger=False, sync_dist=True)
        return {"cost": scores["cross_entropy_nats"], "size": size}


def future_frames(classifier: PhoneClassifier, hop_samples: int) -> int:
    """Frames after a frame that its phone depends on."""
    return -(-classifier.receptive_field // hop_samples)


def fill_in_phones(config: DictConfig, corpus: Corpus) -> None:
    """Write the number of the corpus's phones into the classifier's configuration.

    Raises:
        UserError: if the corpus's layout has no phones.
    """
    OmegaConf.update(config, "classifier.num_phones", PhoneTargets(corpus.encoder.layout).num_phones)


def train_classifier(config: DictConfig, corpus: Corpus, run: Path) -> PhoneClassifier:
    """Fit the configured classifier, or load it if the run already contains it.

    The result has the averaged weights of the validation with the lowest cross-entropy on dev segments.
    """
    settings = config.classifier_training
    model_config = cast(dict[str, Any], OmegaConf.to_container(config.classifier, resolve=True))
    selection: list[BestOnDev] = []

    def training(classifier: Any) -> ClassifierTraining:
        selection.append(BestOnDev(classifier))
        targets = PhoneTargets(corpus.encoder.layout)
        return ClassifierTraining(
            classifier=classifier, targets=targets, hop_samples=corpus.hop_samples, **optimisation(settings)
        )

    def segments(classifier: Any) -> SegmentData:
        return SegmentData(
            corpus=corpus,
            segment_s=settings.segment_s + FRAME_S * future_frames(classifier, corpus.hop_samples),
            past_samples=classifier.receptive_field,
            batch_size=settings.batch_size,
            seed=config.seed,
            num_workers=settings.num_workers,
        )

    def fit_selecting(**given: Any) -> None:
        fit(trainer=build(config.trainer), callbacks=selection, **given, **fit_settings(settings))

    trained = run_stage(
        CLASSIFIER,
        partial(build_model, model_config, source=CLASSIFIER),
        training,
        segments,
        run=run,
        seed=config.seed,
        fit=fit_selecting,
        model_config=model_config,
        facts=facts_of(corpus),
        finish=lambda _: selection[0].restore(),
    )
    return cast(PhoneClassifier, trained)
