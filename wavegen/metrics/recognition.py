"""What a recogniser that was trained on other speech hears: phones, and one sentence among several.

PocketSphinx with the acoustic model and the phone language model of its package (``en-us``, 16 kHz). It hears
about 40 % of the phones of a read recording: compare systems with the recording and with the baselines, not
with 100 %. Huggins-Daines et al., "PocketSphinx: a free, real-time continuous speech recognition system for
hand-held devices" (2006).
"""

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from wavegen.audio.resampling import resample
from wavegen.audio.torchaudio_import import torchaudio_functional
from wavegen.audio.waveform import to_pcm
from wavegen.errors import UserError
from wavegen.linguistics.arpabet import ARPABET, Words

SAMPLE_RATE = 16000
# The model has heard neither digital silence nor bands without any energy: of clean synthetic speech at 8 kHz
# it hears 25 % of the phones without noise and 37 % with it, of LJSpeech's 42 and 40 % (training utterances).
NOISE_DB = -35.0
SHORTEST_S = 0.1  # a phone has at least three frames of 10 ms, and features look ahead
# Of the phone language model against the acoustics: the best of 1, 2, 3 on training and dev recordings.
LANGUAGE_WEIGHT = 2.0


def phone_accuracy(reference: Sequence[str], waveform: Tensor, sample_rate: int) -> float:
    """1 − edit distance / number of reference phones, of the phones that are heard; NaN without a reference.

    At most 1, and negative where more is heard than there is.
    """
    if not reference:
        return float("nan")
    heard = recognised_phones(waveform, sample_rate)
    return 1 - torchaudio_functional().edit_distance(list(reference), heard) / len(reference)


def recognised_phones(waveform: Tensor, sample_rate: int) -> list[str]:
    """The most probable phones in ARPAbet, without silence and noises; ``waveform`` ``(samples,)``."""
    return [phone for phone in _decode(_phone_decoder(), waveform, sample_rate) if phone in _PHONES]


class SentenceChoice:
    """Finds the sentence that was said among several: the path of best acoustic score through all of them.

    All sentences are parallel branches of one grammar, with optional pauses between words, so that one pass
    aligns them all. Paths far below the best one are pruned; where none reaches its end, nothing is chosen.

    Args:
        sentences: their words' phones in ARPAbet; at least two, all different.

    Raises:
        UserError: if there are fewer, or two are equal or empty.
    """

    def __init__(self, sentences: Sequence[Words]) -> None:
        if len(sentences) < 2 or len(set(sentences)) < len(sentences) or not all(sentences):
            raise UserError(
                f"sentence choice: expected at least two different sentences with words, got "
                f"{len(sentences)}, of which {len(set(sentences))} differ and {sentences.count(())} empty."
            )
        names = {word: f"w{index}" for index, word in enumerate(dict.fromkeys(sum(sentences, ())))}
        self.sentences = [[names[word] for word in sentence] for sentence in sentences]
        self.decoder = _decoder_of_words({name: word for word, name in names.items()})
        grammar = self.decoder.create_fsg("sentences", 0, 1, self._transitions())
        self.decoder.add_fsg("sentences", grammar)
        self.decoder.activate_search("sentences")

    def __call__(self, waveform: Tensor, sample_rate: int) -> int | None:
        """The index of the chosen sentence; None if no sentence fits."""
        heard = _decode(self.decoder, waveform, sample_rate)
        words = [word for word in heard if word[0] == "w"]  # fillers are <sil>, [NOISE] …
        return self.sentences.index(words) if words in self.sentences else None

    def _transitions(self) -> list[tuple[int, int, float, str]]:
        """Edges from state 0, the beginning, to state 1, the end."""
        edges, next_state = [], 2
        for sentence in self.sentences:
            state = 0
            for position, word in enumerate(sentence):
                target = 1 if position == len(sentence) - 1 else next_state
                edges.append((state, target, 1 / len(self.sentences) if state == 0 else 1.0, word))
                state, next_state = target, next_state + (target != 1)
        return edges


_PHONES = frozenset(sum(ARPABET.values(), ()))  # what else is heard is silence and noises


def _decode(decoder: Any, waveform: Tensor, sample_rate: int) -> list[str]:
    if waveform.shape[-1] < SHORTEST_S * sample_rate:
        return []
    signal = resample(waveform.double(), sample_rate, SAMPLE_RATE).numpy()
    noise = np.random.default_rng(0).normal(size=len(signal))
    signal = signal + 10 ** (NOISE_DB / 20) * np.sqrt(np.mean(signal**2)) * noise
    decoder.reinit_feat()  # forgets the noise and the channel of the utterance before
    decoder.start_utt()
    decoder.process_raw(to_pcm(signal, "recognition").tobytes(), full_utt=True)
    decoder.end_utt()
    return [segment.word for segment in decoder.seg()] if decoder.hyp() else []


@functools.cache
def _phone_decoder() -> Any:
    from pocketsphinx import Decoder, get_model_path

    return Decoder(
        hmm=get_model_path("en-us/en-us"),
        allphone=get_model_path("en-us/en-us-phone.lm.bin"),
        lw=LANGUAGE_WEIGHT,
        lm=None,
        dict=None,
        loglevel="FATAL",
    )


def _decoder_of_words(words: dict[str, tuple[str, ...]]) -> Any:
    from pocketsphinx import Decoder, get_model_path

    with tempfile.TemporaryDirectory() as folder:
        dictionary = Path(folder) / "words.dict"
        dictionary.write_text("".join(f"{name} {' '.join(phones)}\n" for name, phones in words.items()))
        model = get_model_path("en-us/en-us")
        return Decoder(hmm=model, dict=str(dictionary), lm=None, loglevel="FATAL")
