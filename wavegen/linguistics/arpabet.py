"""The inventory's phones in ARPAbet, the 39 phones of the CMU pronouncing dictionary and its recognisers."""

from collections.abc import Sequence

from wavegen.linguistics.phones import TimedPhone

ARPABET: dict[str, tuple[str, ...]] = {
    name: tuple(symbols.split())
    for name, symbols in {
        **{name: name.upper() for name in "p b t d k f v s z m n l w".split()},
        # The dictionary writes the flap and the glottal stop, which are not phonemes, as t.
        **{"ɾ": "T", "ʔ": "T", "ɡ": "G", "tʃ": "CH", "dʒ": "JH", "θ": "TH", "ð": "DH", "ʃ": "SH", "ʒ": "ZH"},
        **{"h": "HH", "ŋ": "NG", "ɹ": "R", "j": "Y"},
        **{"iː": "IY", "i": "IY", "ɪ": "IH", "ɛ": "EH", "æ": "AE", "ʌ": "AH", "ə": "AH", "əl": "AH L"},
        **{"ɚ": "ER", "ɜː": "ER", "ɑː": "AA", "ɔː": "AO", "ʊ": "UH", "uː": "UW", "eɪ": "EY", "aɪ": "AY"},
        **{"aɪɚ": "AY ER", "ɔɪ": "OY", "aʊ": "AW", "oʊ": "OW", "ɑːɹ": "AA R", "ɔːɹ": "AO R", "ɛɹ": "EH R"},
        **{"ɪɹ": "IH R", "ʊɹ": "UH R", "iə": "IY AH"},
    }.items()
}
"""Every phone of ``EN_US_PHONES`` but silence and unknown; two for one that ends in r, l or schwa."""

Words = tuple[tuple[str, ...], ...]


def arpabet_words(phones: Sequence[TimedPhone]) -> Words:
    """The words of an utterance, each as its phones in ARPAbet; silence and unknown phones are left out."""
    words: dict[int, tuple[str, ...]] = {}
    for phone in phones:
        if phone.phone in ARPABET:
            words[phone.word] = words.get(phone.word, ()) + ARPABET[phone.phone]
    return tuple(words.values())
