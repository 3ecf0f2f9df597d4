"""The two stages of a voice: a teacher fitted to recordings, a student fitted to the teacher."""

import itertools
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from torch import nn

from wavegen.audio.pitch import describe_tracker
from wavegen.calls import build
from wavegen.data.speech.corpus import Corpus
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.objectives.distillation import DistillationStep, weighted_terms
from wavegen.runs.voice import (
    Voice,
    build_model,
    describe_voice,
    load_voice,
    require_match,
    save_weights,
)
from wavegen.training.data import SegmentData
from wavegen.training.distillation import DistillationTraining
from wavegen.training.fit import fit
from wavegen.training.net_resources import arrange_nets
from wavegen.training.settings import fit_settings, optimisation
from wavegen.training.spoken_samples import SpokenSamples
from wavegen.training.teacher import TeacherTraining

log = logging.getLogger(__name__)


def fill_in_voice(config: DictConfig, corpus: Corpus) -> None:
    """Write into ``config.voice`` what of the corpus the models' configurations refer to."""
    voice = {
        "sample_rate": corpus.sample_rate,
        "hop_samples": corpus.hop_samples,
        "num_features": corpus.encoder.layout.num_features,
    }
    OmegaConf.update(config, "voice", voice)


def describe(run: Path, corpus: Corpus, models: dict[str, Any]) -> None:
    """Write the run's ``voice.json``."""
    describe_voice(
        run,
        {
            "sample_rate": corpus.sample_rate,
            "hop_samples": corpus.hop_samples,
            "encoder": corpus.encoder.to_dict(),
            "register": corpus.register.to_dict(),
            "espeak": asdict(corpus.espeak_voice),
            "pitch": describe_tracker(corpus.pitch),
            "models": models,
        },
    )


@rank_zero_only
def keep(run: Path, corpus: Corpus, name: str, model_config: dict[str, Any], model: nn.Module) -> None:
    """Write a trained model into the run, once for all processes that trained it."""
    describe(run, corpus, {name: model_config})
    save_weights(run, name, model)


def check_distillable(config: DictConfig, corpus: Corpus, lender: Voice | None) -> None:
    """Take teacher, student and objective through one short pass before anybody trains for hours.

    Args:
        config: of the recipe, its ``voice`` filled in.
        corpus: of the recordings.
        lender: whose teacher is distilled; None for the configured one.

    Raises:
        UserError: where they cannot be built or do not go together, e.g. a mu-law teacher, which has no
            density.
    """
    if lender is None:
        teacher = build_model(OmegaConf.to_container(config.teacher, resolve=True), source="teacher")
    else:
        teacher = lender.teacher
    student = build_model(OmegaConf.to_container(config.student, resolve=True), source="student")
    terms = loss_terms(config, corpus)
    num_frames, num_samples = 2, 2 * config.voice.hop_samples
    context = SpeechContext.zeros(num_features=config.voice.num_features, num_frames=num_frames)
    recording, mask = torch.zeros(1, num_samples), torch.ones(1, num_samples, dtype=torch.bool)
    with torch.no_grad():
        step = DistillationStep(
            teacher=teacher, student=student, recording=recording, context=context, mask=mask
        )
        for term in terms.values():
            term(step)


def loss_terms(config: DictConfig, corpus: Corpus) -> nn.ModuleDict:
    """The terms of ``config.objective``, which know the corpus's recordings."""
    return weighted_terms(build(config.objective, _convert_="all"), recordings(corpus))


def recordings(corpus: Corpus, limit: int = 100) -> list[np.ndarray]:
    """The first recordings of the training part: enough for what is set by the data before training."""
    return [corpus.load(cut)[0] for cut in itertools.islice(corpus.cuts("train"), limit)]


def train_teacher(config: DictConfig, corpus: Corpus, run: Path) -> nn.Module:
    """Fit the configured teacher, or load the run's where it is already there.

    The weights are the averaged ones, saved in the run.
    """
    if (run / "teacher.safetensors").exists():
        return require_match(load_voice(run), corpus, run).teacher
    lightning.seed_everything(config.seed, verbose=False)
    model_config = OmegaConf.to_container(config.teacher, resolve=True)
    teacher = build_model(model_config, source="teacher")
    teacher.fit_to_data(recordings(corpus))
    arrange_nets([teacher], **net_settings(config.teacher_training))
    module = TeacherTraining(
        teacher=teacher, sample_rate=corpus.sample_rate, **optimisation(config.teacher_training)
    )
    run_fit(module, config, config.teacher_training, corpus, run, "teacher", teacher.receptive_field)
    keep(run, corpus, "teacher", model_config, teacher)
    return teacher.eval()


def lend_teacher(config: DictConfig, corpus: Corpus) -> tuple[Voice | None, Corpus]:
    """The voice whose teacher ``teacher_checkpoint`` gives, None to train one; and the corpus as it sees it.

    A voice's scalers were fitted on *its* training data and stay with it, whatever corpus it is shown.

    Raises:
        UserError: where it has no teacher, or does not fit the corpus.
    """
    if config.teacher_checkpoint is None:
        return None, corpus
    kept = Path(config.run) / "teacher.safetensors"
    source = Path(config.run if kept.exists() else config.teacher_checkpoint)
    voice = require_match(load_voice(source), corpus, source)
    if voice.teacher is None:
        raise UserError(f"{source} has no teacher.safetensors to distil")
    return voice, replace(corpus, encoder=voice.encoder)


def obtain_teacher(config: DictConfig, corpus: Corpus, run: Path, lender: Voice | None) -> nn.Module:
    """The lent teacher, taken into the run; or the run's own, trained now unless it is there."""
    if lender is None:
        return train_teacher(config, corpus, run)
    keep(run, corpus, "teacher", lender.config["teacher"], lender.teacher)
    return lender.teacher


def net_settings(settings: DictConfig) -> dict[str, Any]:
    """What of an optimisation group's settings goes to ``arrange_nets``; runs of old may lack them."""
    return {name: settings[name] for name in ("checkpoint_layers", "compile") if name in settings}


def train_student(config: DictConfig, corpus: Corpus, run: Path, teacher: nn.Module) -> nn.Module:
    """Distil the teacher into the configured student, or load the run's where it is already there."""
    if (run / "student.safetensors").exists():
        return require_match(load_voice(run), corpus, run).student
    lightning.seed_everything(config.seed + 1, verbose=False)
    model_config = OmegaConf.to_container(config.student, resolve=True)
    student = build_model(model_config, source="student")
    if config.adopt_conditioning:
        net = getattr(teacher.conditioner, "conditioner", teacher.conditioner)
        if net.conditioning is not None:
            copied = student.adopt_conditioning(net.conditioning)
            log.info("the student starts with %d conditioning tensors of the teacher", copied)
    arrange_nets([student, teacher], **net_settings(config.student_training))
    module = DistillationTraining(
        teacher=teacher,
        student=student,
        terms=loss_terms(config, corpus),
        **optimisation(config.student_training),
    )
    past = max(student.receptive_field, teacher.receptive_field)
    run_fit(module, config, config.student_training, corpus, run, "student", past)
    keep(run, corpus, "student", model_config, student)
    return student.eval()


def run_fit(
    module: lightning.LightningModule,
    config: DictConfig,
    settings: DictConfig,
    corpus: Corpus,
    run: Path,
    stage: str,
    past_samples: int,
) -> None:
    """Fit a stage with the settings of its group of the configuration."""
    data = SegmentData(
        corpus=corpus,
        segment_s=settings.segment_s,
        past_samples=past_samples,
        batch_size=settings.batch_size,
        seed=config.seed,
        num_workers=settings.num_workers,
    )
    spoken = SpokenSamples(
        corpus=corpus, every_num_validations=settings.speak_every_num_validations, seed=config.seed
    )
    fit(
        module=module,
        data=data,
        trainer=build(config.trainer),
        run=run,
        stage=stage,
        seed=config.seed,
        callbacks=[spoken],
        **fit_settings(settings),
    )
