import pytest

from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.scripts import foreign_letters, scripts_of


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-us", "Na\u00efve caf\u00e9, 5 \u00b5m, 1\u00aa"),
        ("de", "Stra\u00dfe"),
        ("ru", "\u041f\u0440\u0438\u0432\u0435\u0442, Anna"),
        ("el", "\u03b3\u03b5\u03b9\u03b1"),
        ("ja", "\u3072\u3089\u304c\u306a \u30ab\u30ca \u6f22\u5b57"),
        ("cmn", "\u6c49\u5b57"),
        ("hi", "\u0928\u092e\u0938\u094d\u0924\u0947"),
        ("en-us", "\U0001f600 \u2014 1, 2; ?!"),
    ],
)
def test_a_language_reads_its_own_letters(language, text):
    assert not foreign_letters(text, scripts_of(language))


def test_letters_of_other_scripts_are_counted():
    text = "say \u043f\u0440\u0438 or \u03b3\u03b5"
    assert foreign_letters(text, EspeakFrontEnd("en-us+f3").scripts) == {"CYRILLIC": 3, "GREEK": 2}
    assert foreign_letters(text, EspeakFrontEnd("ru").scripts) == {"GREEK": 2}
