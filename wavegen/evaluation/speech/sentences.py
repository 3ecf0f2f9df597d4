"""The sentences among which a recogniser chooses: the right one and others of the same corpus."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.cuts import phones_of
from wavegen.linguistics.arpabet import Words, arpabet_words
from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.recognition import SentenceChoice

NUM_SENTENCES = 100
ENOUGH = 10 * NUM_SENTENCES


def corpus_sentences(corpus: Corpus) -> dict[str, Words]:
    """The different sentences of a corpus, as it reads them, in ARPAbet, by the ids of their utterances.

    Of test and dev all; of train as many as there must be for ``ENOUGH`` in all.
    """
    sentences: dict[Words, str] = {}
    for split in ("test", "dev", "train"):
        for cut in corpus.cuts(split):
            if split == "train" and len(sentences) >= ENOUGH:
                break
            sentences.setdefault(arpabet_words(phones_of(cut)), cut.id)
    sentences.pop((), None)
    return {id_: words for words, id_ in sentences.items()}


def choice_of(
    id_: str, phones: Sequence[TimedPhone], sentences: Mapping[str, Words]
) -> SentenceChoice | None:
    """The choice among the sentence of an utterance, which is the first, and up to 99 others.

    The others depend on the utterance's id alone. None if there are none, or if what is said is no sentence
    of the corpus, such as the beginning of one.
    """
    own = arpabet_words(phones)
    others = [words for words in sentences.values() if words != own]
    if not others or len(others) == len(sentences):
        return None
    number = min(NUM_SENTENCES - 1, len(others))
    drawn = np.random.default_rng(zlib.crc32(id_.encode())).choice(len(others), number, replace=False)
    return SentenceChoice([own, *(others[index] for index in drawn)])
