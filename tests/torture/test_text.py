"""Text of every part of Unicode, and texts that no one writes: spoken, or refused in one sentence."""

import random
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import wavegen
from wavegen.errors import UserError
from wavegen.runs.voice import load_voice
from wavegen.synthesis.sentences import split_sentences
from wavegen.synthesis.text import prepare_speech

VOICE = Path(wavegen.__file__).parent / "voices" / "ljspeech"
BLOCK = 128
EVERY = [pytest.param(1, marks=pytest.mark.torture), pytest.param(80, marks=pytest.mark.slow)]


def assigned(start):
    """The assigned characters of a block, without those of private use and surrogates."""
    every = map(chr, range(start, start + BLOCK))
    return [one for one in every if unicodedata.category(one) not in ("Cn", "Co", "Cs")]


def blocks():
    """The blocks with assigned characters, and every 64th of the others, which are most of them."""
    starts = range(0, sys.maxunicode + 1, BLOCK)
    return [start for start in starts if assigned(start) or start // BLOCK % 64 == 0]


@pytest.fixture(scope="module")
def voice():
    return load_voice(VOICE)


def characters(start):
    return assigned(start) or [chr(start + offset) for offset in range(4)]


def texts(start):
    """Words of a block, and one of its characters within English, where others would hide it."""
    rng = random.Random(start)
    chosen = [rng.choice(characters(start)) for _ in range(12)]
    return ["".join(chosen), " ".join(chosen), f"The letter {chosen[0]} is here.", "".join(chosen) * 20]


def analysed(voice, text) -> str:
    """How the analysis of a text ended."""
    try:
        pieces = split_sentences(text)
        assert "".join("".join(piece.text.split()) for piece in pieces) == "".join(text.split())
        context, plan = voice.analysis.analyse(text)
    except UserError as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error}"
    finite = all(bool(value.isfinite().all()) for value in context.values())
    return "spoken" if finite and plan.num_frames > 0 else "not finite"


@pytest.mark.parametrize("every", EVERY)
def test_every_block_is_spoken_or_refused(voice, every, capsys):
    counts, unexpected = Counter(), []
    for start in blocks()[::every]:
        for text in texts(start):
            try:
                ended = analysed(voice, text)
            except Exception as error:
                ended = type(error).__name__
                unexpected.append((hex(start), text[:20], repr(error)[:200]))
            counts[ended] += 1
    with capsys.disabled():
        print(f"\ntexts of {len(blocks()[::every])} blocks of {BLOCK} code points: {dict(counts)}")
    assert not unexpected, unexpected[:5]
    assert counts.keys() <= {"spoken", "refused"} and counts["spoken"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "\ud800",
        "a\ud800b",
        "\0",
        "a\0b",
        "\x1b[31mred",
        "\u202eright to left",
        "e" + "\u0301" * 2000,
        "\u200b" * 9,
    ],
    ids=ascii,
)
def test_texts_that_no_one_writes(voice, text):
    try:
        speech = prepare_speech(voice, text)
    except UserError as error:
        assert "\n" not in str(error) and "\x1b" not in str(error)
        return
    assert np.isfinite(np.concatenate([np.asarray(block) for block in speech.blocks()])).all()
