"""What a voice is evaluated on: a corpus's test utterances, checked against the voice and encoded by it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from omegaconf import DictConfig

from wavegen.data.speech.corpus import Corpus, Utterance
from wavegen.data.speech.prepare import ensure_prepared
from wavegen.errors import UserError
from wavegen.runs.voice import Voice
from wavegen.untrusted.plain_yaml import read_plain_yaml


def open_corpus(config: DictConfig, checkpoint: str | Path) -> Corpus:
    """The corpus to evaluate on: a whole ``corpus`` group, a prepared ``directory`` alone, or else the run's
    own.

    A group is prepared where that has not been done; a directory is taken as it is, whatever it was prepared
    from. Raises UserError where there is none.
    """
    if "source" in config:
        return ensure_prepared(config)
    if config.directory is not None:
        return Corpus.open(config.directory)
    own = own_directory(checkpoint)
    if not own.is_dir():
        place = "" if own.is_absolute() else f" below {Path.cwd()}"
        raise UserError(
            f"the corpus {own} of {checkpoint} does not exist{place}: say where it lies with "
            "corpus.directory=DIR"
        )
    return Corpus.open(own)


def own_directory(checkpoint: str | Path) -> Path:
    """Where the run says its corpus lies, mostly relative to where it was started.

    Raises UserError where it says nothing.
    """
    path = Path(checkpoint) / "config.yaml"
    try:
        corpus = read_plain_yaml(path).get("corpus")
    except UserError as error:
        raise UserError(f"{path} does not name a corpus ({error}): give corpus.directory=DIR.") from error
    own = corpus.get("directory") if isinstance(corpus, dict) else None
    if not isinstance(own, str):
        raise UserError(f"{path} does not name a corpus: give corpus.directory=DIR.")
    return Path(own)


def default_output(checkpoint: str | Path, corpus: Corpus) -> Path:
    """The run folder for the run's own corpus; for another, a folder in it that is named after the corpus."""
    checkpoint = Path(checkpoint)
    try:
        is_own = own_directory(checkpoint).resolve() == corpus.directory.resolve()
    except UserError:  # a voice without the configuration of its run
        is_own = False
    name = re.sub(r"[^\w-]+", "_", corpus.name)  # one plain name, whatever a corpus calls itself
    return checkpoint if is_own else checkpoint / f"evaluation-{name}"


def load_utterances(
    voice: Voice, corpus: Corpus, split: str, limit: int | None = None
) -> Iterator[Utterance]:
    """The first ``limit`` utterances of a split (all by default), their features scaled by the *voice's*
    encoder.

    The corpus has scalers of its own, fitted on its own training part: a foreign corpus must look to the
    voice as its own did.
    """
    return islice(replace(corpus, encoder=voice.encoder).utterances(split), limit)


def beginning(utterance: Utterance, num_samples: int, hop_samples: int) -> Utterance:
    """The utterance's first ``num_samples`` samples, rounded down to whole frames, and its features there."""
    num_frames = min(num_samples, utterance.waveform.shape[-1]) // hop_samples
    waveform = utterance.waveform[: num_frames * hop_samples]
    return replace(utterance, waveform=waveform, context=utterance.context.cut(0, num_frames))
