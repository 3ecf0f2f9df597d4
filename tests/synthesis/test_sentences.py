import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegen.synthesis.sentences import split_sentences


def texts(text, **options):
    return [piece.text for piece in split_sentences(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One sentence.", ["One sentence."]),
        ("No mark at the end", ["No mark at the end"]),
        ("Is it? Yes! No\u2026 Perhaps.", ["Is it?", "Yes!", "No\u2026", "Perhaps."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("Dr. Smith met J. R. Brown. They spoke.", ["Dr. Smith met J. R. Brown.", "They spoke."]),
        ("It cost 3.50 dollars. Cheap!", ["It cost 3.50 dollars.", "Cheap!"]),
        ("see p. 5, e.g. the table. 7 is odd.", ["see p. 5, e.g. the table.", "7 is odd."]),
        ("He asked why? and left.", ["He asked why? and left."]),
        ("A title\n\nA paragraph\nof two lines.", ["A title", "A paragraph\nof two lines."]),
        ("\u4f60\u597d\u3002\u518d\u89c1\uff01", ["\u4f60\u597d\u3002", "\u518d\u89c1\uff01"]),
        ("Yes. \u2026 !!! No.", ["Yes.", "\u2026 !!! No."]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_where_sentences_end(text, expected):
    assert texts(text) == expected


def test_pauses_are_between_the_sentences():
    assert [pause_s for _, pause_s in split_sentences("One. Two. Three.")] == [0.32, 0.32, 0.0]
    assert [pause_s for _, pause_s in split_sentences("One.")] == [0.0]


def test_a_long_sentence_is_split_where_it_pauses_least_wrongly():
    long = "first part of it, second part without end"
    assert split_sentences(long, longest=30)[0] == ("first part of it,", 0.2)
    assert split_sentences(long.replace(",", ""), longest=30)[0] == ("first part of it second part", 0.0)
    assert texts("a" * 25, longest=10) == ["a" * 10, "a" * 10, "a" * 5]


@given(
    text=st.text(st.sampled_from("ab A,.?!\n\"')\u2026\u3002 ;1"), max_size=80), longest=st.integers(4, 30)
)
def test_nothing_is_lost_and_nothing_is_too_long(text, longest):
    pieces = texts(text, longest=longest)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece.strip() == piece and 0 < len(piece) <= longest for piece in pieces)
