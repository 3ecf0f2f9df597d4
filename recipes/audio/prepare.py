"""Prepare a corpus: phone timings, pitch and features of every utterance, split into train, dev and test."""

from omegaconf import DictConfig

from wavegen.data.speech.preparation import arguments_of
from wavegen.data.speech.prepare import prepare_corpus


def main(config: DictConfig) -> None:
    prepare_corpus(**arguments_of(config.corpus))
