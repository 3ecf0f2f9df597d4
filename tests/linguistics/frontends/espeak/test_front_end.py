import multiprocessing
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak import front_end as espeak
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import EN_US_PHONES


def names(voice: EspeakFrontEnd, text: str) -> list[str]:
    return [phone.phone for phone in voice.read(text).phones if not phone.is_silence]


def test_a_sentence_has_the_phones_a_dictionary_gives_it():
    phones = EspeakFrontEnd().read("The vision of three boys.").phones
    spoken = [p for p in phones if not p.is_silence]
    assert [p.phone for p in spoken] == "ð ə v ɪ ʒ ə n ʌ v θ ɹ iː b ɔɪ z".split()
    assert [p.word for p in spoken] == [0] * 2 + [1] * 5 + [2] * 2 + [3] * 3 + [4] * 3
    assert [p.phone for p in spoken if p.stress == 2] == ["ɪ", "iː", "ɔɪ"]


def test_phones_are_contiguous_and_fill_the_audio():
    spoken = EspeakFrontEnd().read("Twelve sparks, then silence; what now?")
    phones = spoken.phones
    assert phones[0].start_s == 0
    assert phones[-1].end_s == pytest.approx(spoken.duration_s, abs=1e-9)
    for before, after in zip(phones, phones[1:], strict=False):
        assert before.end_s == after.start_s
    assert min(p.duration_s for p in phones) > 0.009
    assert {p.phone for p in phones} <= set(EN_US_PHONES)
    assert {p.phrase for p in phones if not p.is_silence} == {0, 1, 2}
    assert all(p.word == p.phrase == -1 for p in phones if p.is_silence)


def test_silences_are_quiet_and_vowels_are_loud():
    spoken = EspeakFrontEnd().read("Hello, my dear old friend. How are you?")
    level = {True: [], False: []}
    for phone in spoken.phones:
        piece = spoken.waveform[int(phone.start_s * 22050) + 100 : int(phone.end_s * 22050) - 100]
        if len(piece) and (phone.is_silence or phone.stress == 2):
            level[phone.is_silence].append(float(np.sqrt(np.mean(piece**2))))
    assert min(level[False]) > 10 * max(level[True])


def test_the_same_text_gives_the_same_samples_whatever_came_before():
    voice = EspeakFrontEnd()
    first = voice.read("Six fish swim.")
    EspeakFrontEnd("en-gb-x-rp", 300, 80).read("Something else entirely, and faster.")
    again = voice.read("Six fish swim.")
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert first.phones == again.phones


def test_threads_and_other_processes_say_the_same():
    texts = ["one fish", "two fish", "red fish", "blue fish"]
    expected = [EspeakFrontEnd().read(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        for spoken, wanted in zip(pool.map(EspeakFrontEnd().read, texts), expected, strict=True):
            np.testing.assert_array_equal(spoken.waveform, wanted.waveform)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for spoken, wanted in zip(pool.map(EspeakFrontEnd().read, texts), expected, strict=True):
            np.testing.assert_array_equal(spoken.waveform, wanted.waveform)


def test_settings_change_rate_and_pitch():
    slow, fast = (EspeakFrontEnd(words_per_minute=w).read("A quiet afternoon.") for w in (120, 300))
    assert slow.duration_s > 1.5 * fast.duration_s


def test_markup_and_phoneme_input_are_text_like_any_other():
    voice = EspeakFrontEnd()
    assert "b" in names(voice, "go <b>on</b>")  # the letter is read out
    assert len(names(voice, "say [[hh]] now")) > len(names(voice, "say now")) + 2
    assert names(voice, "over") == names(voice, "\x01ove\x00r".replace("\x00", "").replace("\x01", ""))
    assert names(voice, "so\x01200s") != []


@pytest.mark.parametrize("text", ["", " ", "...", "\n\t", "\x00", "\ud800", "?!"])
def test_a_text_without_a_phone_is_quoted(text):
    with pytest.raises(UserError, match="contains nothing that the voice 'en-us' can pronounce"):
        EspeakFrontEnd().read(text)


def test_a_long_unspeakable_text_is_quoted_in_part():
    with pytest.raises(UserError) as caught:
        EspeakFrontEnd().read("-" * 5000)
    assert len(str(caught.value)) < 200


def test_an_unknown_voice_is_named():
    with pytest.raises(UserError, match="no voice 'klingon-x'"):
        EspeakFrontEnd("klingon-x").read("hello")


@pytest.mark.parametrize(
    "name",
    [
        "../voices/!v/f3",
        "en-us+../../x",
        "!v/f3",
        "/etc/passwd",
        "en-us+" + "x" * 50,
        "x" * 100,
        "",
        "en\0",
        None,
    ],
)
def test_a_voice_that_is_a_path_is_named_before_espeak_sees_it(name):
    """Any of the first four may end the process."""
    with pytest.raises(UserError, match="the espeak voice .* is not a valid name"):
        EspeakFrontEnd(name)


@pytest.mark.parametrize("name", ["en-us+f3", "en-us+Mr serious", "English (America)", "gmw/en-US", "zh"])
def test_names_of_voices_are_names(name):
    assert EspeakFrontEnd(name).voice == name


@pytest.mark.parametrize(
    "setting, range_",
    [({"words_per_minute": 10**9}, "80 to 450"), ({"words_per_minute": "fast"}, "80 to 450")]
    + [({"pitch": 100}, "0 to 99"), ({"pitch": 50.0}, "0 to 99"), ({"pitch": -1}, "0 to 99")],
)
def test_a_setting_out_of_its_range_is_named(setting, range_):
    with pytest.raises(UserError, match=f"{next(iter(setting))} is .*, expected a whole number of {range_}"):
        EspeakFrontEnd(**setting)


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=40))
def test_any_text_is_spoken_or_refused_in_one_sentence(text):
    try:
        spoken = EspeakFrontEnd().read(text)
    except UserError:
        return
    assert len(spoken.waveform) > 0
    assert {p.phone for p in spoken.phones} <= set(EN_US_PHONES)
    assert all(p.duration_s >= 0 for p in spoken.phones)


@pytest.mark.parametrize("text", ["A.B.C." * 64, "a.b. c.d. " * 100, "щ." * 200, "'s" * 300, "𝐀.;" * 70])
def test_tokens_that_espeak_has_no_room_for_are_spoken(text):
    """They killed the process."""
    letters = sum(character.isalpha() for character in text)
    assert len(EspeakFrontEnd().read(text).phones) > letters / 4


def test_a_text_that_kills_espeak_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(espeak, "break_long_tokens", lambda text: text)
    with pytest.raises(UserError, match=r"cannot speak the text 'A\.B\..*…': its process was ended by SIG"):
        EspeakFrontEnd().read("A.B.C." * 100)
    assert names(EspeakFrontEnd(), "over") == ["oʊ", "v", "ɚ"]


def test_a_text_of_hours_is_refused(monkeypatch):
    monkeypatch.setattr(espeak, "_LONGEST_S", 6.0)
    with pytest.raises(UserError, match="'word word .*…' takes more than 0.1 minutes to say"):
        EspeakFrontEnd().read("word " * 200)


UNITS = [
    "A.",
    "a.",
    "щ.",
    "𝐀.",
    "中",
    "'s",
    "b",
    "7",
    "7,",
    "1.",
    "B",
    "ba-",
    "?",
    "-",
    "…",
    "é",
    "\u0301",
    "\u200d",
]
UNITS += [
    "😀",
    "👩\u200d👧",
    "[[",
    "]]",
    "<b>",
    "&amp;",
    "\x00",
    "\x01200s",
    "\n",
    "\u2028",
    "ß.",
    "Ⅳ.",
    "½",
    "⠿",
    "\ud800",
]


def nasty_text(generator: random.Random) -> str:
    """Up to six things, each of them up to 400 times, 600 characters in all."""
    pieces = []
    for _ in range(generator.randint(1, 6)):
        unit = "".join(generator.choices(UNITS, k=generator.randint(1, 3)))
        pieces.append(unit * generator.choice([1, 2, 5, 30, 100, 400]))
    return generator.choice(["", " ", ", "]).join(pieces)[:600]


@pytest.mark.parametrize("number", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_text_kills_the_process_that_asks(number):
    generator = random.Random(number)
    refused = []
    for _ in range(number):
        text = nasty_text(generator)
        try:
            assert len(EspeakFrontEnd(words_per_minute=450).read(text).waveform) > 0
        except UserError as error:
            refused.append(str(error))
    assert len(refused) < number / 4
    assert names(EspeakFrontEnd(), "over") == ["oʊ", "v", "ɚ"]
