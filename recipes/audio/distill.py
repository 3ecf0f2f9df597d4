"""Distil a WaveNet teacher into a student that speaks all its samples at once.

Without teacher_checkpoint it trains a teacher first; without a prepared corpus it prepares the default. Then
both models are evaluated on test utterances, and a report with players is written. If it is started again
with the same folder, it continues from the last checkpoint.

The loss is that of the group objective. The group term adds to it, one term or several: term=[NAME,NAME].
objective.NAME.weight=… sets the weight of a term, objective.NAME=null removes it. docs/losses.md explains
when to use which.

Examples:
  wavegen distill
  wavegen distill corpus=ljspeech corpus.root=DIR experiment=ljspeech_cpu
  wavegen distill teacher_checkpoint=runs/teacher-espeak-8000
  wavegen distill term=[contrastive,spectral_shape]
  wavegen distill resume=runs/distill-espeak-8000
"""

from omegaconf import DictConfig

from wavegen.data.speech.prepare import ensure_prepared
from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.runs.folder import open_run, resume_config
from wavegen.runs.voice import load_voice
from wavegen.training.distillation_check import check_distillable
from wavegen.training.processes import end_other_processes
from wavegen.training.settings import check_trainings
from wavegen.training.source_filter_check import check_source_filter
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import (
    check_teacher_checkpoint,
    copy_teacher,
    find_teacher_voice,
    train_student,
    train_teacher,
)


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    check_teacher_checkpoint(config)
    corpus = ensure_prepared(config.corpus)
    fill_in_voice(config, corpus)
    teacher_voice, corpus = find_teacher_voice(config, corpus)
    if teacher_voice is None:
        check_source_filter(config, corpus)
    check_distillable(config, corpus, teacher_voice)
    run = open_run(config)
    if teacher_voice is None:
        teacher = train_teacher(config, corpus, run)
    else:
        teacher = copy_teacher(corpus, run, teacher_voice)
    train_student(config, corpus, run, teacher, teacher_voice)
    end_other_processes()
    evaluate_voice(load_voice(run), corpus, run, seed=config.seed, **config.evaluation)
    print(f"Listen: {run / 'report.html'}")
