"""Prepare a corpus: phone timings, pitch and features of every utterance, split into train, dev and test."""

from omegaconf import DictConfig

from wavegen.data.speech.prepare import preparation, prepare_corpus


def main(config: DictConfig) -> None:
    prepare_corpus(**preparation(config.corpus))
