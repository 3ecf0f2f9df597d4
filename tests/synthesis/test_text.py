"""From text to a waveform: where text comes from, and what a small untrained voice makes of it."""

import dataclasses
import io
import sys

import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak import front_end as espeak
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.synthesis.text import prepare_speech, read_text, sampler_of


def speak(voice, text, **settings):
    return prepare_speech(voice, text, **settings).whole()


@pytest.mark.parametrize("text", ["Hello", "", "a, b = {c} ${d} 'e' \"f\"", "Grüße\nund mehr"])
def test_text_is_taken_as_it_stands(text):
    assert read_text(text, None) == text


def test_text_from_a_file_and_from_standard_input(tmp_path, monkeypatch):
    content = "Grüße, „Welt“!\nZweite Zeile.\n"
    path = tmp_path / "a = b, {c}.txt"
    path.write_bytes(content.encode())
    assert read_text(None, str(path)) == content
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode()), encoding="ascii"))
    assert read_text(None, "-") == content


def test_exactly_one_source_is_expected():
    with pytest.raises(UserError, match="got both"):
        read_text("a", "b")
    with pytest.raises(UserError, match="got neither"):
        read_text(None, None)


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"text_file=.*none.txt cannot be read \(No such file"):
        read_text(None, str(tmp_path / "none.txt"))
    with pytest.raises(UserError, match="cannot be read"):
        read_text(None, str(tmp_path))
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Gr\u00fc\u00dfe".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin.txt is not UTF-8 \(byte 2\)"):
        read_text(None, str(latin))


def test_student_speaks_as_many_samples_as_the_text_has_frames(voice):
    text = "One, two = three."
    _, plan = voice.analysis.analyse(text)
    phones, num_frames = plan.phones, plan.num_frames
    waveform = speak(voice, text, seed=3)
    assert waveform.shape == (num_frames * 40,)
    assert len(waveform) / voice.sample_rate == pytest.approx(phones[-1].end_s, abs=0.3)
    assert torch.isfinite(waveform).all() and waveform.std() > 0
    assert torch.equal(waveform, speak(voice, text, seed=3))
    assert not torch.equal(waveform, speak(voice, text, seed=4))
    assert not torch.equal(waveform, speak(voice, text, seed=3, temperature=0.5))


def test_teacher_speaks_as_long_on_the_16_bit_grid(voice):
    num_frames = voice.analysis.analyse("Oh.")[1].num_frames
    waveform = speak(voice, "Oh.", model="teacher")
    assert waveform.shape == (num_frames * 40,)
    assert torch.equal(waveform * 32768, (waveform * 32768).round())


def test_the_named_model_speaks(voice):
    assert isinstance(sampler_of(voice, "student", 1.0), ParallelSampler)
    assert isinstance(sampler_of(voice, "teacher", 1.0), SequentialSampler)
    with pytest.raises(UserError, match="model must be one of teacher, student, source_filter, got 'parrot'"):
        speak(voice, "Oh.", model="parrot")
    with pytest.raises(UserError, match="this voice has no student: use model=teacher"):
        speak(dataclasses.replace(voice, student=None), "Oh.")


@pytest.mark.parametrize("text", ["", "  \n", "…"])
def test_nothing_to_say_is_said(voice, text):
    with pytest.raises(UserError):
        speak(voice, text)


def test_dotted_letters_without_end_are_spoken(voice):
    """They killed the process, at 64 times already."""
    assert len(speak(voice, "A.B.C." * 64)) / voice.sample_rate > 15


def test_a_text_that_kills_espeak_is_refused_in_one_sentence(voice, monkeypatch):
    monkeypatch.setattr(espeak, "break_long_tokens", lambda text: text)
    with pytest.raises(UserError, match="cannot speak the text 'A.B.C.*': its process was ended by"):
        speak(voice, "A.B.C." * 100)


@pytest.mark.parametrize("entry", ["front_end", "prosody"])
def test_a_voice_without_its_front_end_is_named(voice, entry):
    for broken in (None, {"unknown": 1}, {"_target_": "os.system"}):
        description = {**voice.description, entry: broken}
        with pytest.raises(UserError, match="manifest.json"):
            _ = dataclasses.replace(voice, description=description).analysis
