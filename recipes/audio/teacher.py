"""Train a WaveNet teacher by maximum likelihood of 16-bit samples.

Prepares the corpus if necessary, and writes a run folder with checkpoints, TensorBoard logs and the averaged
weights. If it is started again with the same folder, it continues from the last checkpoint.

Examples:
  wavegen teacher
  wavegen teacher corpus=ljspeech corpus.root=DIR teacher=small
  wavegen teacher resume=runs/teacher-espeak-8000
"""

from omegaconf import DictConfig

from wavegen.data.speech.prepare import ensure_prepared
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.processes import end_other_processes
from wavegen.training.settings import check_trainings
from wavegen.training.source_filter_check import check_source_filter
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_teacher


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    corpus = ensure_prepared(config.corpus)
    fill_in_voice(config, corpus)
    check_source_filter(config, corpus)
    run = open_run(config)
    train_teacher(config, corpus, run)
    end_other_processes()
    print(f"The teacher is in {run}. Next: wavegen distill teacher_checkpoint={run}")
