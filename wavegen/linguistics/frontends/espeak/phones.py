"""Mapping from espeak's phone names to the inventory of this project.

espeak names the phones of its ``en-us`` voice in its own ASCII notation (``I2``, ``t#``, ``o@``), with
several names for sounds that listeners do not distinguish (allophones). This module maps them to the
inventory ``EN_US_PHONES``.
"""

from wavegen.linguistics.phones import SILENCE, UNKNOWN

# Collected by letting the voice speak some 1,400 paragraphs of prose and documentation.
_FROM_ESPEAK = {
    **{name: name for name in "p b t d k f v s z h m n l j w i".split()},
    "t2": "t",
    "t#": "ɾ",
    "*": "ɾ",
    "?": "ʔ",
    "g": "ɡ",
    "x": "k",
    "tS": "tʃ",
    "dZ": "dʒ",
    "T": "θ",
    "D": "ð",
    "S": "ʃ",
    "Z": "ʒ",
    "n-": "n",
    "N": "ŋ",
    "r": "ɹ",
    "r-": "ɹ",
    "i:": "iː",
    "I": "ɪ",
    "I2": "ɪ",
    "I#": "ɪ",
    "E": "ɛ",
    "E2": "ɛ",
    "a": "æ",
    "aa": "æ",
    "V": "ʌ",
    "@": "ə",
    "@2": "ə",
    "@5": "ə",
    "@-": "ə",
    "a#": "ə",
    "@L": "əl",
    "3": "ɚ",
    "3:": "ɜː",
    "0": "ɑː",
    "0#": "ɑː",
    "A:": "ɑː",
    "A~": "ɑː",
    "O": "ɔː",
    "O2": "ɔː",
    "O:": "ɔː",
    "U": "ʊ",
    "u:": "uː",
    "u": "uː",
    "eI": "eɪ",
    "aI": "aɪ",
    "aI@": "aɪɚ",
    "aI3": "aɪɚ",
    "OI": "ɔɪ",
    "aU": "aʊ",
    "oU": "oʊ",
    "o:": "oʊ",
    "e": "eɪ",
    "A@": "ɑːɹ",
    "O@": "ɔːɹ",
    "o@": "ɔːɹ",
    "e@": "ɛɹ",
    "i@3": "ɪɹ",
    "i@": "iə",
    "U@": "ʊɹ",
}


def normalise_phone(espeak_name: str) -> str | None:
    """The inventory name of the phone that espeak calls ``espeak_name`` (without its stress marks).

    ``None`` for names that are not sounds: markers of language switching and palatalisation.
    """
    if espeak_name.startswith("_"):
        return SILENCE
    if espeak_name in ("", ";") or espeak_name.startswith("("):
        return None
    if espeak_name in _FROM_ESPEAK:
        return _FROM_ESPEAK[espeak_name]
    # An allophone of another English voice: remove the variant suffix, since the plain form usually exists.
    return _FROM_ESPEAK.get(espeak_name.rstrip("0123456789#-~;:.^"), UNKNOWN)
