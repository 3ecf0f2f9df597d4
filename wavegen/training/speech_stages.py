"""The stages of a voice: a source-filter model, a teacher on it, and a student distilled from the teacher."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig
from torch import nn

from wavegen.calls import build_all
from wavegen.data.speech.corpus import Corpus
from wavegen.errors import UserError
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.objectives.distillation import distillation_terms
from wavegen.runs.folder import check_stored
from wavegen.runs.manifest import read_manifest
from wavegen.runs.voice import Voice, load_voice, require_match
from wavegen.runs.weights import build_model
from wavegen.training.distillation import DistillationTraining
from wavegen.training.net_resources import arrange_nets
from wavegen.training.settings import optimisation
from wavegen.training.source_filter_stage import train_source_filter
from wavegen.training.speech_stage import facts_of, plain, recordings, speech_stage
from wavegen.training.stage import save_model
from wavegen.training.teacher import TeacherTraining

log = logging.getLogger(__name__)


def teacher_config(config: DictConfig) -> dict[str, Any]:
    """The configuration of a new teacher: on a source-filter model, unless ``source_filter=none``."""
    inner = {"source_filter": plain(config.source_filter)} if config.get("source_filter") else {}
    return plain(config.teacher) | inner


def student_config(config: DictConfig, teacher: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a student of this teacher, on the same source-filter model."""
    model = teacher.get("source_filter")
    return plain(config.student) | ({"voice": [model["filter"], model["mixture"]]} if model else {})


def loss_terms(config: DictConfig, corpus: Corpus) -> nn.ModuleDict:
    """The terms of ``config.objective``, initialised with recordings of the corpus.

    Raises:
        UserError: if a loss cannot be built, or ``resume=`` would refuse its arguments.
    """
    check_stored(config.objective, "objective")
    return distillation_terms(build_all(config.objective, _convert_="all"), recordings(corpus))


def train_teacher(config: DictConfig, corpus: Corpus, run: Path) -> nn.Module:
    """Fit the configured teacher, or load it if the run already contains it.

    The source-filter model on which it is built comes first, unless ``source_filter=none``. The averaged
    weights of both are saved in the run.
    """
    source_filter = train_source_filter(config, corpus, run)
    settings = config.teacher_training

    def build_teacher(model_config: dict[str, Any]) -> nn.Module:
        teacher = build_model(model_config, source="teacher")
        teacher.fit_to_data(recordings(corpus))
        if source_filter is not None:
            teacher.source_filter.load_state_dict(source_filter.state_dict())
        arrange_nets([teacher], checkpoint_layers=settings.checkpoint_layers, compile=settings.compile)
        return teacher

    return speech_stage(
        "teacher",
        build_teacher,
        lambda teacher: TeacherTraining(
            teacher=cast(SequentialModel, teacher), sample_rate=corpus.sample_rate, **optimisation(settings)
        ),
        model_config=teacher_config(config),
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


def copy_teacher(corpus: Corpus, run: Path, teacher_voice: Voice) -> nn.Module:
    """The teacher of ``teacher_voice``, copied into the run, with its source-filter model."""
    teacher = cast(nn.Module, teacher_voice.teacher)  # find_teacher_voice has checked that it is there
    if teacher_voice.source_filter is not None:
        described = teacher_voice.config["source_filter"]
        save_model(run, "source_filter", teacher_voice.source_filter, described, facts_of(corpus))
    save_model(run, "teacher", teacher, teacher_voice.config["teacher"], facts_of(corpus))
    return teacher


def train_student(
    config: DictConfig, corpus: Corpus, run: Path, teacher: nn.Module, teacher_voice: Voice | None = None
) -> nn.Module:
    """Distil the teacher into the configured student, or load it if the run already contains it.

    The student of a teacher with a source-filter model has that model's voice behind its flows.

    Args:
        teacher_voice: the voice that the teacher came from; None if it was trained with this configuration.
    """
    settings = config.student_training
    # Not from the run's manifest, which another process may be writing.
    described = teacher_config(config) if teacher_voice is None else teacher_voice.config["teacher"]

    def build_student(model_config: dict[str, Any]) -> nn.Module:
        student = build_model(model_config, source="student")
        if student.voice is not None:
            student.voice.load_state_dict(teacher.source_filter.voice.bijection.state_dict())
        if config.adopt_conditioning:
            if teacher.wavenet.conditioning is not None:
                copied = student.adopt_conditioning(teacher.wavenet.conditioning)
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
        model_config=student_config(config, described),
        config=config,
        corpus=corpus,
        run=run,
        seed=config.seed + 1,
        beside=[teacher],
    )
