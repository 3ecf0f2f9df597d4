import dataclasses
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from wavegen.audio.pitch import PitchTrack
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import ensure_prepared, prepare_corpus
from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.frontends.espeak import front_end as espeak
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.phones import EN_US_PHONES, TimedPhone
from wavegen.linguistics.prosody.prosody import Plan
from wavegen.linguistics.prosody.register import RegisterProsody

LJSPEECH = Path(__file__).parents[4] / "shared" / "data" / "ljspeech-18min"


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


def test_what_lies_on_disk(sentences, tmp_path):
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)),
        tmp_path / "out",
        16000,
        num_dev=1,
        num_test=1,
    )
    assert corpus.sizes == {"train": 3, "dev": 1, "test": 1}
    layout = corpus.encoder.layout
    assert layout.phones == EN_US_PHONES
    for split in corpus.sizes:
        for cut, utterance in zip(corpus.cuts(split), corpus.utterances(split), strict=True):
            info = soundfile.info(tmp_path / "out" / "audio" / f"{cut.id}.wav")
            assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
            frames = cut.load_frames()
            assert frames.shape == (info.frames / 80, len(layout.columns)) and frames.dtype == np.float32
            np.testing.assert_array_equal(cut.load_audio()[0], utterance.waveform)
            assert utterance.text == cut.supervisions[0].text
            assert utterance.context["features"].shape == (layout.num_features, len(frames))
            assert torch.equal(utterance.waveform * 32768, (utterance.waveform * 32768).round())
            phones = cut.supervisions[0].alignment["phone"]
            centre = int(phones[3].start * 200 + phones[3].duration * 100)
            assert layout.phones[int(frames[centre, layout.column("phone")])] == phones[3].symbol


def test_scalers_see_train_only(sentences, tmp_path):
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)),
        tmp_path / "out",
        8000,
        num_dev=1,
        num_test=1,
    )
    layout = corpus.encoder.layout
    frames = np.concatenate([cut.load_frames() for cut in corpus.cuts("train")]).astype(np.float64)
    voiced = frames[:, layout.column("voiced")] > 0
    expected = frames[voiced, layout.column("log_f0")]
    assert float(corpus.encoder.mean[-2]) == pytest.approx(expected.mean(), abs=1e-5)
    assert float(corpus.encoder.std[-2]) == pytest.approx(expected.std(), abs=1e-5)
    assert corpus.prosody.log_f0_mean == pytest.approx(expected.mean(), abs=1e-5)
    assert corpus.prosody.spoken_log_f0_mean == pytest.approx(expected.mean(), abs=1e-4)


def test_several_processes_write_the_same_as_one(sentences, tmp_path):
    sentences.write_text(
        "".join(
            f"Number {word} is here.\n"
            for word in "one two three four five six seven eight "
            "nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
        )
    )
    for num_jobs in (1, 2):
        prepare_corpus(
            SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)),
            tmp_path / str(num_jobs),
            8000,
            num_jobs=num_jobs,
        )
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "2")


def test_a_stopped_preparation_goes_on_where_it_was(sentences, tmp_path, monkeypatch):
    source, out = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out"
    prepare_corpus(source, tmp_path / "whole", 8000)
    render, rendered = SpokenSentences.render, []

    def stops_at_the_third(self, item):
        if len(rendered) == 2:
            raise KeyboardInterrupt
        rendered.append(item.id)
        return render(self, item)

    monkeypatch.setattr(SpokenSentences, "render", stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        prepare_corpus(source, out, 8000)
    assert not (out / "corpus.json").exists()
    with pytest.raises(UserError, match="corpus.json is missing"):
        Corpus.open(out)

    remaining = []
    monkeypatch.setattr(
        SpokenSentences, "render", lambda self, item: remaining.append(item.id) or render(self, item)
    )
    prepare_corpus(source, out, 8000)
    assert len(rendered) == 2 and len(remaining) == 3 and not {*rendered} & {*remaining}
    assert snapshot(out) == snapshot(tmp_path / "whole")


def test_a_preparation_that_made_nothing_leaves_its_folder_to_others(sentences, tmp_path, monkeypatch):
    """Of a front end without sound, and of one that can pronounce nothing."""
    source, out = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out"
    silent = dataclasses.replace(source, front_end=EspeakFrontEnd(pitch=60))
    read = EspeakFrontEnd.read
    monkeypatch.setattr(
        EspeakFrontEnd,
        "read",
        lambda self, text: dataclasses.replace(read(self, text), waveform=None, sample_rate=None),
    )
    with pytest.raises(UserError, match="needs a front end that produces sound"):
        prepare_corpus(silent, out, 8000)
    monkeypatch.setattr(EspeakFrontEnd, "read", lambda self, text: read(self, "..."))
    with pytest.raises(UserError, match="could be used"):
        prepare_corpus(silent, out, 8000)
    monkeypatch.undo()
    assert prepare_corpus(source, out, 8000).front_end.pitch == 50
    with pytest.raises(UserError, match="another source.front_end.pitch: got 50, expected 60"):
        prepare_corpus(silent, out, 8000)


def test_bad_recordings_are_skipped_and_listed(make_ljspeech, tmp_path, capsys):
    root = make_ljspeech(suffix="wav")
    (root / "wavs" / "a-1.wav").unlink()
    (root / "wavs" / "a-2.wav").write_bytes(b"")
    mono, rate = soundfile.read(root / "wavs" / "a-3.wav")
    soundfile.write(root / "wavs" / "a-3.wav", np.stack([mono, mono], 1), rate)
    corpus = prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "out", 16000)
    assert corpus.sizes == {"train": 1, "dev": 1, "test": 1}
    assert list(corpus.skipped) == ["a-1", "a-2"]
    assert "missing" in corpus.skipped["a-1"] and "empty" in corpus.skipped["a-2"]
    printed = capsys.readouterr().out
    assert "skipped 2 of 5" in printed and corpus.skipped["a-2"] in printed
    assert printed.count("mixed down") == 1


def test_one_bad_file_never_ends_the_preparation(make_ljspeech, tmp_path, capsys):
    long_name = "n" * 246
    texts = {
        "a-1": "One red apple.",
        "a-2": "Two green trees.",
        long_name: "Six fish.",
        "B": "Ten.",
        "b": "Two.",
    }
    root = make_ljspeech(texts, suffix="wav")
    wavs, lines = root / "wavs", (root / "metadata.csv").read_bytes().splitlines()
    speech, rate = soundfile.read(wavs / "a-1.wav")

    soundfile.write(wavs / "claims.flac", speech, rate)
    header = bytearray((wavs / "claims.flac").read_bytes())
    header[21:26] = bytes([header[21] | 0x0F, 255, 255, 255, 255])  # 36 bits of frames
    (wavs / "claims.flac").write_bytes(header)
    soundfile.write(wavs / "loud.wav", speech * 1e30, rate, "FLOAT")
    soundfile.write(wavs / "slow.wav", speech, 1)
    soundfile.write(wavs / "cut.flac", speech, rate)
    (wavs / "cut.flac").write_bytes((wavs / "cut.flac").read_bytes()[:-5000])
    os.mkfifo(wavs / "pipe.wav")
    (wavs / "zero.wav").symlink_to("/dev/zero")
    bad = ["claims", "loud", "slow", "cut", "pipe", "zero", "m" * 300, "\x1b[31mred"]
    lines += [f"{name}|One red apple.|".encode() for name in bad] + [
        b"latin|\xe9\xe8",
        b"mega|" + b"x " * 500_000,
    ]
    (root / "metadata.csv").write_bytes(b"\n".join(lines))

    corpus = prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "out", 16000)
    ids = {cut.id for split in corpus.sizes for cut in corpus.cuts(split)}
    assert len(ids) == len(texts) and {"a-1", "a-2"} < ids
    assert len(corpus.skipped) == len(bad) + 2
    for name, words in {
        "claims": "expected 600 s at most",
        "loud": "within [-1, 1]",
        "slow": "1 Hz",
        "cut": "truncated",
        "pipe": "a pipe",
        "zero": "a pipe",
        "mega": "999999 characters",
        r"\x1b[31mred": "missing",
    }.items():
        assert words in corpus.skipped[name]
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and f"skipped {len(bad) + 2} of {len(bad) + 2 + len(texts)}" in printed


def test_a_sentence_that_kills_espeak_is_skipped(sentences, tmp_path, monkeypatch):
    sentences.write_text(sentences.read_text() + "A.B.C." * 100 + "\n")
    whole = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "broken", 8000
    )
    assert sum(whole.sizes.values()) == 6 and not whole.skipped
    monkeypatch.setattr(espeak, "break_long_tokens", lambda text: text)
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "whole", 8000
    )
    assert sum(corpus.sizes.values()) == 5
    assert "espeak-ng cannot speak the text 'A.B.C." in corpus.skipped["sentences-0006"]


class DeadlyCorpus(SpokenSentences):
    """As a defect of a library would, some item ends the process that renders it."""

    def render(self, item):
        if item.id == "sentences-0011":
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().render(item)


@pytest.mark.slow
def test_an_utterance_that_kills_its_process_is_skipped(sentences, tmp_path):
    sentences.write_text("".join(f"Number {number} is here.\n" for number in range(17)))
    source = DeadlyCorpus(EspeakFrontEnd(), sentences=str(sentences))
    corpus = prepare_corpus(source, tmp_path / "out", 8000, num_jobs=2)
    assert sum(corpus.sizes.values()) == 16
    assert corpus.skipped.keys() == {"sentences-0011"}
    assert "the process that prepared sentences-0011 died" in corpus.skipped["sentences-0011"]


def test_an_error_only_when_none_is_left(make_ljspeech, tmp_path):
    root = make_ljspeech({"x": "Two green trees.", "y": "One apple."}, suffix="wav")
    (root / "wavs" / "x.wav").unlink()
    corpus = prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "one", 16000)
    assert corpus.sizes == {"train": 1, "dev": 1, "test": 1}
    (root / "wavs" / "y.wav").unlink()
    with pytest.raises(UserError, match="no utterance of the corpus 'ljspeech' could be used: .*x.wav"):
        prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "none", 16000)
    assert not (tmp_path / "none" / "corpus.json").exists()


def test_phones_without_a_name_in_the_layout_are_counted_and_reported(
    sentences, tmp_path, monkeypatch, capsys
):
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    prepare_corpus(source, tmp_path / "known", 8000)
    assert "without a name" not in capsys.readouterr().out
    name_of = espeak.normalise_phone
    monkeypatch.setattr(espeak, "normalise_phone", lambda name: {"ɹ": "rolled"}.get(p := name_of(name), p))
    corpus = prepare_corpus(source, tmp_path / "unknown", 8000)
    cuts = [cut for split in corpus.sizes for cut in corpus.cuts(split)]
    phones = [phone.symbol for cut in cuts for phone in cut.supervisions[0].alignment["phone"]]
    unknown, total = phones.count("rolled"), len(phones) - phones.count("_")
    share = f"phones without a name in the layout: {unknown} of {total} ({100 * unknown / total:.1f} %)"
    assert unknown == 5 and share in capsys.readouterr().out.splitlines()


def test_a_front_end_that_is_always_wrong_is_reported_once(sentences, tmp_path, monkeypatch):
    monkeypatch.setattr(espeak, "lengthen_short_phones", lambda phones, min_s: [TimedPhone("a", 1.0, 2.0)])
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    reason = r"the front end's phone 0 \(a\) starts at 1 s, expected 0 s, where the speech starts"
    with pytest.raises(UserError, match=f"^no utterance of the corpus 'sentences' could be used: {reason}$"):
        prepare_corpus(source, tmp_path / "out", 8000)


SHORT = Contours(PitchTrack(np.ones(2), np.ones(2)), np.ones(3))


@pytest.mark.parametrize(
    ("method", "result", "message"),
    [
        ("summarise", {"f0": np.float32(100)}, r"the summary of RegisterProsody has f0=.* \(numpy.float32\)"),
        ("fit", None, "RegisterProsody.fit returned a NoneType, expected a fitted RegisterProsody"),
        (
            "plan",
            lambda: Plan([], 3, Contours(PitchTrack(np.ones(2), np.ones(2)), np.ones(3))),
            "plans 3 frames with f0_hz of the",
        ),
    ],
)
def test_a_prosody_s_mistake_is_found_in_the_preparation(
    sentences, tmp_path, monkeypatch, method, result, message
):
    monkeypatch.setattr(RegisterProsody, method, lambda *_: result() if callable(result) else result)
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    with pytest.raises(UserError, match=message):
        prepare_corpus(source, tmp_path / "out", 8000)
    assert not (tmp_path / "out" / "corpus.json").exists()
    monkeypatch.undo()
    prepare_corpus(source, tmp_path / "out", 8000)


def test_a_recipes_configuration_prepares_once(sentences, tmp_path, monkeypatch):
    config = OmegaConf.create(
        {
            "name": "espeak",
            "sample_rate": 8000,
            "directory": str(tmp_path / "out"),
            "source": {
                "_target_": "wavegen.data.speech.sources.sentences.SpokenSentences",
                "sentences": str(sentences),
                "front_end": "${front_end}",
            },
            "front_end": {
                "_target_": "wavegen.linguistics.frontends.espeak.front_end.EspeakFrontEnd",
                "pitch": 60,
            },
            "layout": {"_target_": "wavegen.linguistics.phone_layout.PhoneLayout", "context_width": 1},
            "pitch": {"_target_": "wavegen.audio.pitch.PraatPitch", "min_hz": 70},
            "num_jobs": None,
        }
    )
    corpus = ensure_prepared(config)
    assert corpus.front_end.pitch == 60
    assert corpus.encoder.layout == PhoneLayout(context_width=1)
    monkeypatch.setattr(SpokenSentences, "render", None)  # nothing is spoken a second time
    again = ensure_prepared(config)
    assert str(again) == str(corpus)
    config.sample_rate = 16000
    with pytest.raises(UserError, match="another sample_rate"):
        ensure_prepared(config)


@pytest.mark.skipif(not LJSPEECH.is_dir(), reason="the real recordings are not on this machine")
def test_real_recordings_are_aligned_with_their_sound(tmp_path):
    root = tmp_path / "few"
    (root / "wavs").mkdir(parents=True)
    lines = (LJSPEECH / "metadata.csv").read_text(encoding="utf-8").splitlines()[1:4]
    (root / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    for line in lines:
        shutil.copy(LJSPEECH / "wavs" / f"{line.split('|')[0]}.flac", root / "wavs")
    corpus = prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "out", 16000)
    column = corpus.encoder.layout.column
    levels_db, frames = [], []
    for split in corpus.sizes:
        for cut in corpus.cuts(split):
            power = np.square(cut.load_audio()[0].reshape(-1, 80)).mean(1)
            levels_db.append(10 * np.log10(power / np.quantile(power, 0.95) + 1e-9))
            frames.append(cut.load_frames())
    levels_db, frames = np.concatenate(levels_db), np.concatenate(frames)
    phones = np.array(EN_US_PHONES)[frames[:, column("phone")].astype(int)]
    voiced = frames[:, column("voiced")]
    silent, hissing = phones == "_", np.isin(phones, list("sʃf"))
    vowels = np.isin(phones, EN_US_PHONES[EN_US_PHONES.index("iː") :])
    assert np.median(levels_db[silent]) < np.median(levels_db[vowels]) - 25
    assert voiced[vowels].mean() > 0.6 > 0.2 > voiced[hissing].mean()
    assert voiced[silent].mean() < 0.1
