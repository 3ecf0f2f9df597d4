"""Train a source-filter model: a voice without a WaveNet, within minutes.

A net at frame rate gives an all-pole filter, a gain, and the shares of harmonics and noise in its
excitation. It is the first stage of teachers and students, and a voice by itself. Without a prepared corpus
it prepares the default. The voice is evaluated on test utterances, and a report with players is written. If
it is started again with the same folder, it continues from the last checkpoint.

Examples:
  wavegen source_filter
  wavegen source_filter corpus=ljspeech corpus.root=DIR
  wavegen source_filter resume=runs/source_filter-espeak-8000
"""

from omegaconf import DictConfig

from wavegen.data.speech.prepare import ensure_prepared
from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.runs.folder import open_run, resume_config
from wavegen.runs.voice import load_voice
from wavegen.training.processes import end_other_processes
from wavegen.training.settings import check_trainings
from wavegen.training.source_filter_check import check_source_filter
from wavegen.training.source_filter_stage import train_source_filter
from wavegen.training.speech_stage import fill_in_voice


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    corpus = ensure_prepared(config.corpus)
    fill_in_voice(config, corpus)
    check_source_filter(config, corpus)
    run = open_run(config)
    train_source_filter(config, corpus, run)
    end_other_processes()
    evaluate_voice(load_voice(run), corpus, run, seed=config.seed, **config.evaluation)
    print(f"Listen: {run / 'report.html'}")
