import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegen.linguistics.frontends.espeak.long_tokens import break_long_tokens

ORDINARY = [
    "The U.S.S.R. and J. R. R. Tolkien, e.g. at 3 p.m., i.e. not at 3 a.m.",
    "A. B. C. D. E. F. G. H. I. J. K. L. M. N. O. P. Q. R. S. T. U. V. W. X. Y. Z.",
    "No. No. No! It is. It was. So be it. I am. We do. Oh. Ah. Go on.",
    "https://www.example.com/a/rather/long/path/to/some/page.html?a=1&b=2#and-a-fragment-of-it, v1.2.3.",
    "192.168.0.1 costs $1,234,567.89 (about 3.1415926535897932384626433832795028841971693993751 percent).",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Pneumonoultramicroscopicsilicovolcanoconiosis isn't floccinaucinihilipilification.",
    "一二三四五六七八九十，" * 30,
    "-" * 5000,
    "wait....... " * 20,
    "word " * 2000,
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_what_people_write_comes_back_as_it_is(text):
    assert break_long_tokens(text) == text


def test_the_embedded_sentences_come_back_as_they_are():
    text = (
        resources.files("wavegen.data.speech.sources").joinpath("sentences.txt").read_text(encoding="utf-8")
    )
    assert break_long_tokens(text) == text


LETTERS = ["a", "I", "ß", "щ", "中", "𝐀", "Ⅳ", "e\u0301", "a\u200d", "a\u00ad"]


@given(
    st.lists(st.sampled_from(LETTERS), min_size=1, max_size=300),
    st.lists(st.sampled_from([".", "..", ". ", ".\n", ".,", ".;_", " .", ".-", ".'", ".\u2003"]), min_size=1),
)
def test_a_chain_of_dotted_letters_fits_into_the_buffer(letters, dots):
    text = "".join(letter + dots[i % len(dots)] for i, letter in enumerate(letters))
    broken = break_long_tokens(text)
    assert [c for c in broken if c in "".join(LETTERS)] == [c for c in text if c in "".join(LETTERS)]
    # What espeak takes for one chain: letters with a dot behind them, and the one before the comma.
    chains = re.split(r"(?<=[^\s.,;_'-]), ", broken)
    assert max(len(re.sub(r"[\s.,;_'-]", "", chain).encode()) for chain in chains) <= 72
    assert (broken == text) == (sum(len(letter.encode()) for letter in letters) <= 60)


@given(st.text(alphabet="abs'’7щ中?", min_size=1, max_size=700))
def test_a_long_word_is_broken_and_loses_nothing(word):
    parts = break_long_tokens(word).split(" ")
    assert "".join(parts) == word
    assert all(len(part) == 100 for part in parts[:-1]) and 0 < len(parts[-1]) <= 100


@given(st.text(max_size=400) | st.text(alphabet="a.𝐀щ ,'", max_size=600))
def test_what_was_broken_stays_as_it_is(text):
    broken = break_long_tokens(text)
    assert break_long_tokens(broken) == broken
