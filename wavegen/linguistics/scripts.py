"""The scripts of languages, and the letters of a text in other scripts."""

import unicodedata
from collections import Counter
from collections.abc import Set

_OF_LANGUAGES = {
    "ARABIC": "ar fa fa-latn ps sd ug ur",
    "ARMENIAN": "hy hyw",
    "BENGALI": "as bn bpy",
    "CHEROKEE": "chr",
    "CJK": "cmn hak ja yue zh",
    "CYRILLIC": "ba be bg cv kk ky mk ru sr tt uk",
    "DEVANAGARI": "hi kok mr ne",
    "ETHIOPIC": "am ti",
    "GEORGIAN": "ka",
    "GREEK": "el grc",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "MALAYALAM": "ml",
    "MYANMAR": "my shn",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
}
# Signs that count as letters, with names that begin otherwise.
_OF_ALL = frozenset("MICRO FEMININE MASCULINE MODIFIER SCRIPT DOUBLE-STRUCK KELVIN ANGSTROM".split())


def scripts_of(language: str) -> frozenset[str]:
    """The scripts in which a language is written, by the first words of Unicode's names of their letters.

    Args:
        language: a BCP 47 tag such as ``en-us``. All languages have Latin letters in names and quotations.
    """
    spoken = language.split("-")[0].lower()
    return frozenset({"LATIN", *(script for script, of in _OF_LANGUAGES.items() if spoken in of.split())})


def foreign_letters(text: str, scripts: Set[str]) -> Counter[str]:
    """The number of letters of every script that is not one of these.

    Example:
        >>> foreign_letters("Привет, world", {"LATIN"})
        Counter({'CYRILLIC': 6})
    """
    found = (unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    return Counter(script for script in found if script and script not in scripts | _OF_ALL)
