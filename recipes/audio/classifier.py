"""Train a classifier that hears the phone of every frame, for the perceptual loss of a distillation.

Prepares the corpus if necessary. Writes a run folder with checkpoints, TensorBoard logs, the weights of the
validation with the lowest cross-entropy, and metrics.json: accuracy per frame of 5 ms on dev and test, beside
that of always naming the most frequent phone.

Examples:
  wavegen classifier
  wavegen classifier corpus=ljspeech corpus.root=DIR classifier_training.max_minutes=10
  wavegen classifier resume=runs/classifier-espeak-8000
"""

from omegaconf import DictConfig

from wavegen.data.speech.prepare import ensure_prepared
from wavegen.evaluation.speech.classifier import evaluate_classifier
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.classifier import fill_in_phones, train_classifier
from wavegen.training.processes import end_other_processes
from wavegen.training.settings import check_trainings
from wavegen.training.speech_stage import fill_in_voice


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    corpus = ensure_prepared(config.corpus)
    fill_in_voice(config, corpus)
    fill_in_phones(config, corpus)
    run = open_run(config)
    classifier = train_classifier(config, corpus, run)
    end_other_processes()
    metrics = evaluate_classifier(classifier, corpus, run, seed=config.seed)
    accuracy, majority = (metrics[f"classifier/dev/{name}"] for name in ("accuracy", "majority_accuracy"))
    print(f"It hears {accuracy:.1%} of the dev frames' phones (most frequent phone: {majority:.1%}).")
    print(f"Next: wavegen distill term=perceptual classifier_checkpoint={run}")
