"""Texts of several sentences: one after another, in a file and in a stream."""

import io

import numpy as np
import pytest
import soundfile
import torch

from wavegen.cli.main import main
from wavegen.errors import UserError
from wavegen.linguistics.frontends.nothing_to_say import NothingToSay
from wavegen.synthesis.text import prepare_speech, prepare_text, sampler_of


def spoken(voice, text, model="student", seed=0):
    return prepare_text(voice, text, sampler_of(voice, model, 1.0), seed=seed)


TEXT = "Yes. No?\n\nPerhaps!"


def test_a_single_sentence_is_spoken_as_before(voice, tmp_path):
    duration_s = spoken(voice, "Yes, no.", seed=3).write(str(tmp_path / "a.wav"))
    expected = prepare_speech(voice, "Yes, no.", seed=3)
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert (len(samples), rate) == (expected.num_samples, 8000)
    assert duration_s == expected.duration_s
    np.testing.assert_allclose(samples, expected.whole().clamp(-1, 1), atol=2**-15)


@pytest.mark.parametrize("model", ["student", "teacher"])
def test_sentences_follow_each_other_with_pauses_and_noise_of_their_own(voice, tmp_path, model):
    sentences = spoken(voice, TEXT, model=model)
    speeches = list(sentences.speeches())
    assert len(speeches) == 3 and len({speech.seed for speech in speeches}) == 3
    alone = [prepare_speech(voice, text, model=model) for text in ("Yes.", "No?", "Perhaps!")]
    pauses_s = [after.duration_s - one.duration_s for after, one in zip(speeches, alone, strict=True)]
    ratio = voice.analysis.prosody.duration_ratio
    assert pauses_s == pytest.approx([0.32 * ratio, 0.32 * ratio, 0.0], abs=0.011)
    sentences.write(str(tmp_path / "a.wav"))
    samples, _ = soundfile.read(tmp_path / "a.wav")
    whole = torch.cat([speech.whole() for speech in speeches])
    np.testing.assert_allclose(samples, whole.clamp(-1, 1), atol=2**-15)


def test_a_sentence_without_speech_is_left_out(voice, monkeypatch):
    for text in ("", "()", "\u2026 \u2026"):
        with pytest.raises(UserError, match="empty|nothing that the voice"):
            list(spoken(voice, text).speeches())
    analyse = type(voice.analysis).analyse

    def reads_no_no(self, text, **options):
        if text.startswith("No"):
            raise NothingToSay("nothing")
        return analyse(self, text, **options)

    monkeypatch.setattr(type(voice.analysis), "analyse", reads_no_no)
    assert len(list(spoken(voice, TEXT).speeches())) == 2
    with pytest.raises(NothingToSay):
        list(spoken(voice, "No. No.").speeches())


def test_a_sentence_is_written_before_the_next_one_is_read(voice, tmp_path, monkeypatch):
    seen = []
    analyse = type(voice.analysis).analyse

    def watched(self, text, **options):
        left_over = [path.stat().st_size for path in tmp_path.glob(".wavegen-*.tmp")]
        seen.append(max(left_over, default=0))
        return analyse(self, text, **options)

    monkeypatch.setattr(type(voice.analysis), "analyse", watched)
    spoken(voice, TEXT).write(str(tmp_path / "a.wav"))
    assert seen[0] == 0 and 0 < seen[1] < seen[2]


def test_a_failure_in_a_later_sentence_leaves_no_file(voice, tmp_path, monkeypatch):
    analyse = type(voice.analysis).analyse

    def fails(self, text, **options):
        if text.startswith("No"):
            raise UserError("cannot be read")
        return analyse(self, text, **options)

    monkeypatch.setattr(type(voice.analysis), "analyse", fails)
    with pytest.raises(UserError, match="cannot be read"):
        spoken(voice, TEXT).write(str(tmp_path / "a.wav"))
    assert list(tmp_path.iterdir()) == []


def test_flac_has_the_samples_of_wav(voice, tmp_path):
    for name in ("a.wav", "a.flac"):
        spoken(voice, TEXT).write(str(tmp_path / name))
    assert soundfile.info(tmp_path / "a.flac").format == "FLAC"
    wav, flac = (soundfile.read(tmp_path / name, dtype="int16")[0] for name in ("a.wav", "a.flac"))
    np.testing.assert_array_equal(wav, flac)


def words(voice_folder, output, *more):
    return ["synthesize", f"text={TEXT}", f"checkpoint={voice_folder}", f"output={output}", *more]


def test_a_stream_of_several_sentences_states_no_length(voice_folder, tmp_path, capfdbinary):
    assert main(words(voice_folder, tmp_path / "a.wav")) == 0
    capfdbinary.readouterr()
    assert main(words(voice_folder, "-")) == 0
    streamed = capfdbinary.readouterr().out
    assert streamed[4:8] == streamed[40:44] == b"\xff\xff\xff\xff"
    assert streamed[44:] == (tmp_path / "a.wav").read_bytes()[44:]
    assert len(soundfile.read(io.BytesIO(streamed))[0]) == len(soundfile.read(tmp_path / "a.wav")[0])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("output=a.mp3", "output=a.mp3: expected a file that ends in .wav or .flac, got .mp3"),
        ("temperature=-1", "a temperature must be at least 0 and finite, got -1"),
        ("temperature=inf", "a temperature must be at least 0 and finite, got inf"),
        ("seed=-1", "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    voice_folder, tmp_path, capsys, monkeypatch, word, message
):
    monkeypatch.chdir(tmp_path)
    arguments = [*words(voice_folder, "a.wav"), word]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_letters_that_the_voice_does_not_read_are_told(voice, caplog):
    spoken(voice, "Caf\u00e9.")
    assert not caplog.records
    spoken(voice, "Say \u043f\u0440\u0438.")
    assert "3 of the text's letters are CYRILLIC, but the front end of this voice reads LATIN" in caplog.text
