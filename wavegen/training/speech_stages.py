"""The two stages of a voice: training a teacher on recordings and distilling a student from it."""

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
from omegaconf import DictConfig, OmegaConf
from torch import nn

from wavegen.calls import build, build_all
from wavegen.data.speech.corpus import Corpus
from wavegen.errors import UserError
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.objectives.distillation import weighted_terms
from wavegen.runs.folder import check_stored
from wavegen.runs.manifest import read_manifest
from wavegen.runs.voice import Voice, load_voice, require_match
from wavegen.runs.weights import build_model, weights_file
from wavegen.training.data import SegmentData
from wavegen.training.distillation import DistillationTraining
from wavegen.training.fit import fit
from wavegen.training.module import TrainingModule
from wavegen.training.net_resources import arrange_nets
from wavegen.training.settings import fit_settings, optimisation
from wavegen.training.spoken_samples import SpokenSamples
from wavegen.training.stage import run_stage, save_model
from wavegen.training.teacher import TeacherTraining
from wavegen.untrusted.parts import describe

log = logging.getLogger(__name__)


def fill_in_voice(config: DictConfig, corpus: Corpus) -> None:
    """Write the corpus properties that the models' configurations refer to into ``config.voice``."""
    voice = {
        "sample_rate": corpus.sample_rate,
        "hop_samples": corpus.hop_samples,
        "num_features": corpus.encoder.layout.num_features,
    }
    OmegaConf.update(config, "voice", voice)


def facts_of(corpus: Corpus) -> dict[str, Any]:
    """The manifest entries of a voice beside its models: all that is needed to turn text into context."""
    return {
        "sample_rate": corpus.sample_rate,
        "hop_samples": corpus.hop_samples,
        "encoder": corpus.encoder.to_dict(),
        "front_end": describe(corpus.front_end),
        "prosody": describe(corpus.prosody),
    }


def loss_terms(config: DictConfig, corpus: Corpus) -> nn.ModuleDict:
    """The terms of ``config.objective``, initialised with recordings of the corpus.

    Raises:
        UserError: if a loss cannot be built, or ``resume=`` would refuse its arguments.
    """
    check_stored(config.objective, "objective")
    return weighted_terms(build_all(config.objective, _convert_="all"), recordings(corpus))


def recordings(corpus: Corpus, limit: int = 100) -> list[np.ndarray]:
    """The first recordings of the training part, for values that are estimated before training."""
    return [corpus.load(cut)[0] for cut in itertools.islice(corpus.cuts("train"), limit)]


def train_teacher(config: DictConfig, corpus: Corpus, run: Path) -> nn.Module:
    """Fit the configured teacher, or load it if the run already contains it.

    The averaged weights are saved in the run.
    """
    settings = config.teacher_training

    def build_teacher(model_config: dict[str, Any]) -> nn.Module:
        teacher = build_model(model_config, source="teacher")
        teacher.fit_to_data(recordings(corpus))
        arrange_nets([teacher], checkpoint_layers=settings.checkpoint_layers, compile=settings.compile)
        return teacher

    return speech_stage(
        "teacher",
        build_teacher,
        lambda teacher: TeacherTraining(
            teacher=cast(SequentialModel, teacher), sample_rate=corpus.sample_rate, **optimisation(settings)
        ),
        lambda teacher: teacher.receptive_field,
        config=config,
        corpus=corpus,
        run=run,
        seed=config.seed,
    )


def check_teacher_checkpoint(config: DictConfig) -> None:
    """Raises UserError if ``teacher_checkpoint`` is not a run folder; called before a corpus is prepared."""
    if (run := _teacher_run(config)) is not None:
        read_manifest(run)


def _teacher_run(config: DictConfig) -> Path | None:
    """The run folder of ``teacher_checkpoint``; the run itself once it has a copy of that teacher."""
    if config.teacher_checkpoint is None:
        return None
    copied = Path(config.run) / "teacher.safetensors"
    return Path(config.run if copied.exists() else config.teacher_checkpoint)


def find_teacher_voice(config: DictConfig, corpus: Corpus) -> tuple[Voice | None, Corpus]:
    """The voice of ``teacher_checkpoint`` (None to train a teacher), and the corpus with the voice's encoder.

    The encoder's scalers were fitted on the voice's training data and are not fitted again.

    Raises:
        UserError: if the voice has no teacher, or does not match the corpus.
    """
    source = _teacher_run(config)
    if source is None:
        return None, corpus
    voice = require_match(load_voice(source), corpus, source)
    if voice.teacher is None:
        raise UserError(f"{source} has no teacher.safetensors to distil")
    return voice, replace(corpus, encoder=voice.encoder)


def obtain_teacher(config: DictConfig, corpus: Corpus, run: Path, teacher_voice: Voice | None) -> nn.Module:
    """The teacher of ``teacher_voice``, copied into the run, or the run's own, trained now if missing."""
    if teacher_voice is None:
        return train_teacher(config, corpus, run)
    teacher = cast(nn.Module, teacher_voice.teacher)  # find_teacher_voice has checked that it is there
    save_model(run, "teacher", teacher, teacher_voice.config["teacher"], facts_of(corpus))
    return teacher


def train_student(config: DictConfig, corpus: Corpus, run: Path, teacher: nn.Module) -> nn.Module:
    """Distil the teacher into the configured student, or load it if the run already contains it."""
    settings = config.student_training

    def build_student(model_config: dict[str, Any]) -> nn.Module:
        student = build_model(model_config, source="student")
        if config.adopt_conditioning:
            net = getattr(teacher.conditioner, "conditioner", teacher.conditioner)
            if net.conditioning is not None:
                copied = student.adopt_conditioning(net.conditioning)
                log.info("the student starts with %d conditioning tensors of the teacher", copied)
        nets = [student, teacher]
        arrange_nets(nets, checkpoint_layers=settings.checkpoint_layers, compile=settings.compile)
        return student

    return speech_stage(
        "student",
        build_student,
        lambda student: DistillationTraining(
            teacher=cast(SequentialModel, teacher),
            student=cast(ParallelModel, student),
            terms=loss_terms(config, corpus),
            **optimisation(settings),
        ),
        lambda student: max(student.receptive_field, teacher.receptive_field),
        config=config,
        corpus=corpus,
        run=run,
        seed=config.seed + 1,
    )


def speech_stage(
    name: str,
    build_from: Callable[[dict[str, Any]], nn.Module],
    module: Callable[[nn.Module], TrainingModule],
    past_samples: Callable[[nn.Module], int],
    *,
    config: DictConfig,
    corpus: Corpus,
    run: Path,
    seed: int,
    callbacks: Sequence[lightning.Callback] = (),
    finish: Callable[[TrainingModule], None] | None = None,
) -> nn.Module:
    """A stage on segments of a corpus that logs spoken samples at validations."""
    if weights_file(run, name).exists():
        require_match(load_voice(run), corpus, run)
    settings = config[f"{name}_training"]
    model_config = cast(dict[str, Any], OmegaConf.to_container(config[name], resolve=True))

    def segments(model: nn.Module) -> SegmentData:
        return SegmentData(
            corpus=corpus,
            segment_s=settings.segment_s,
            past_samples=past_samples(model),
            batch_size=settings.batch_size,
            lookahead_frames=getattr(model, "lookahead_frames", 1),
            seed=config.seed,
            num_workers=settings.num_workers,
        )

    def fit_speaking(**given: Any) -> None:
        spoken = SpokenSamples(
            corpus=corpus, every_num_validations=settings.speak_every_num_validations, seed=config.seed
        )
        # The run's seed is for all draws in training; the stage's seed is only for the initial weights.
        given["seed"] = config.seed
        fit(trainer=build(config.trainer), callbacks=[*callbacks, spoken], **given, **fit_settings(settings))

    return run_stage(
        name,
        lambda: build_from(model_config),
        module,
        segments,
        run=run,
        seed=seed,
        fit=fit_speaking,
        model_config=model_config,
        facts=facts_of(corpus),
        finish=finish,
    )
