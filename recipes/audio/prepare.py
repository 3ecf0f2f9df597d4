"""Prepare a corpus: phone timings, pitch and features of every utterance, split into train, dev and test."""

from omegaconf import DictConfig

from wavegen.corpora.prepare import ensure_prepared


def main(config: DictConfig) -> None:
    corpus = ensure_prepared(config.corpus)
    print(corpus)
