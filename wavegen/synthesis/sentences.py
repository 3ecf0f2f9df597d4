"""Splits a text into sentences, which are spoken one after another."""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 600
"""Characters of a piece. It bounds the memory of its synthesis, about a minute of speech."""

_SENTENCE_PAUSE_S = 0.32  # after a full stop, at a usual speaking rate
_CLAUSE_PAUSE_S = 0.2  # after a comma

_CLOSING = r"[\"'\u2019\u201d\u00bb)\]]"
# A mark of the end and white space; or the end mark of a script without spaces; or an empty line.
_END = re.compile(rf"([.!?\u2026]+{_CLOSING}*)\s+|([\u3002\uff01\uff1f]+{_CLOSING}*)\s*|\s*\n\s*\n\s*")
_CLAUSE_END = re.compile(r"[,;:\u2014\u2013]\s")
_WORD = re.compile(r"\w")
# A dot after one of these, or after a single letter, ends no sentence.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'])(?:[^\W\d_]|mr|mrs|ms|dr|prof|st|no|vol|fig|vs|etc|cf|ca|approx|e\.g|i\.e|jr|sr)\.$",
    re.I,
)


class Piece(NamedTuple):
    """Part of a text, and the seconds of silence after it."""

    text: str
    pause_s: float


def split_sentences(text: str, longest: int = LONGEST) -> list[Piece]:
    """The sentences of a text, with the pauses between them; the last one has none.

    A sentence ends at a full stop, question mark or exclamation mark before white space and anything but a
    lower-case letter, and at an empty line. When in doubt (abbreviations, initials) it goes on, which is
    harmless: the front end finds the pauses within a piece by itself. A sentence of more than ``longest``
    characters is split at a comma, else at white space, else anywhere. All characters but white space are
    kept, in their order.

    Example:
        >>> [piece.text for piece in split_sentences("Dr. Smith came at 3 p.m. on Monday. Why? Nobody knew!")]
        ['Dr. Smith came at 3 p.m. on Monday.', 'Why?', 'Nobody knew!']
    """
    pieces = [piece for sentence in _sentences(text) for piece in _bounded(sentence, longest)]
    return [*pieces[:-1], *(Piece(last.text, 0.0) for last in pieces[-1:])]


def _sentences(text: str) -> Iterator[str]:
    begin = 0
    for match in _END.finditer(text):
        end = max(match.end(1), match.end(2), match.start())  # of the mark, or where the empty line starts
        following = text[match.end() : match.end() + 1]
        if match[1] and (following.islower() or _ABBREVIATION.search(text[begin:end])):
            continue
        if not _WORD.search(text, begin, end):  # marks alone, which a front end may read by their names
            continue
        if sentence := text[begin:end].strip():
            yield sentence
        begin = match.end()
    if sentence := text[begin:].strip():
        yield sentence


def _bounded(sentence: str, longest: int) -> Iterator[Piece]:
    while len(sentence) > longest:
        start = sentence[:longest]
        clause_ends = [match.end() for match in _CLAUSE_END.finditer(start)]
        space = max(start.rfind(character) for character in " \t\n")
        if clause_ends and clause_ends[-1] > longest // 4:
            end, pause_s = clause_ends[-1], _CLAUSE_PAUSE_S
        else:
            end, pause_s = (space + 1 if space > 0 else longest), 0.0
        if piece := sentence[:end].strip():
            yield Piece(piece, pause_s)
        sentence = sentence[end:].strip()
    if sentence:
        yield Piece(sentence, _SENTENCE_PAUSE_S)
