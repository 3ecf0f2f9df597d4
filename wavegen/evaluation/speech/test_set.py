"""Opens the corpus for an evaluation and loads its utterances, encoded by the voice's encoder."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from omegaconf import DictConfig

from wavegen.audio.pitch import FRAME_S
from wavegen.data.speech.corpus import Corpus, Utterance
from wavegen.data.speech.prepare import ensure_prepared
from wavegen.errors import UserError
from wavegen.runs.voice import Voice
from wavegen.untrusted.plain_yaml import read_plain_yaml


def open_corpus(config: DictConfig, checkpoint: str | Path) -> Corpus:
    """The corpus to evaluate on: of a whole ``corpus`` group, of a prepared ``directory``, or the run's own.

    The corpus of a group is prepared if necessary. A directory is used as it is. Raises UserError if the
    corpus does not exist.
    """
    if "source" in config:
        return ensure_prepared(config)
    if config.directory is not None:
        return Corpus.open(config.directory)
    own = own_directory(checkpoint)
    if not own.is_dir():
        place = "" if own.is_absolute() else f" below {Path.cwd()}"
        raise UserError(
            f"the corpus {own} of {checkpoint} does not exist{place}: give its folder with "
            "corpus.directory=DIR"
        )
    return Corpus.open(own)


def own_directory(checkpoint: str | Path) -> Path:
    """The corpus folder in the run's configuration, mostly relative to the folder where the run was started.

    Raises UserError if the configuration does not name one.
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


def default_output(checkpoint: str | Path, corpus: Corpus, split: str = "test") -> Path:
    """The run folder for the test part of the run's own corpus; for others, a subfolder named after them."""
    checkpoint = Path(checkpoint)
    try:
        is_own = own_directory(checkpoint).resolve() == corpus.directory.resolve()
    except UserError:  # the folder has no configuration of a run
        is_own = False
    name = re.sub(r"[^\w-]+", "_", corpus.name)  # a valid folder name, whatever the corpus's name
    others = ([] if is_own else [name]) + ([] if split == "test" else [split])
    return checkpoint / "-".join(["evaluation", *others]) if others else checkpoint


def load_utterances(
    voice: Voice, corpus: Corpus, split: str, limit: int | None = None
) -> Iterator[Utterance]:
    """The first ``limit`` utterances of a split (all by default), encoded by the *voice's* encoder.

    The corpus has its own scalers, fitted on its own training part. The voice needs the scaling that it was
    trained with.
    """
    return islice(replace(corpus, encoder=voice.encoder).utterances(split), limit)


def beginning(utterance: Utterance, num_samples: int, hop_samples: int) -> Utterance:
    """The utterance's first ``num_samples`` samples, rounded down to whole frames, with their features.

    It keeps the phones that end within them, and what is left of a silence.
    """
    num_frames = min(num_samples, utterance.waveform.shape[-1]) // hop_samples
    end_s = num_frames * FRAME_S
    phones = [
        replace(phone, end_s=min(phone.end_s, end_s)) if phone.is_silence else phone
        for phone in utterance.phones
        if phone.start_s < end_s and (phone.is_silence or phone.end_s <= end_s + 1e-6)
    ]
    return replace(
        utterance,
        phones=phones,
        waveform=utterance.waveform[: num_frames * hop_samples],
        context=utterance.context.cut(0, num_frames),
    )


def first_seconds(
    utterances: Sequence[Utterance], max_seconds: float | None, sample_rate: int, hop_samples: int
) -> list[Utterance]:
    """The first utterances, whole, of at most ``max_seconds`` in total; None for all.

    If already the first one is longer, its beginning.
    """
    if max_seconds is None:
        return list(utterances)
    left = round(max_seconds * sample_rate)
    chosen: list[Utterance] = []
    for utterance in utterances:
        left -= utterance.waveform.shape[-1]
        if left < 0:
            break
        chosen.append(utterance)
    num_samples = max(hop_samples, round(max_seconds * sample_rate))
    return chosen or [beginning(utterance, num_samples, hop_samples) for utterance in utterances[:1]]
