import gzip
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from wavegen.audio.pitch import PyinPitch
from wavegen.data.speech import files
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import ensure_prepared, prepare_corpus, split_ids
from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak import front_end as espeak
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.phones import EN_US_PHONES

LJSPEECH = Path(__file__).parents[4] / "shared" / "data" / "ljspeech-18min"


@pytest.fixture
def sentences(tmp_path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text("One red apple.\nTwo green trees.\nThree old boats.\nFour cold nights.\nFive drums.\n")
    return path


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
    assert float(corpus.encoder.mean[-1]) == pytest.approx(expected.mean(), abs=1e-5)
    assert float(corpus.encoder.std[-1]) == pytest.approx(expected.std(), abs=1e-5)
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


def test_other_settings_are_refused_in_the_same_directory(sentences, tmp_path):
    source, out = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out"
    prepare_corpus(source, out, 8000)
    before = snapshot(out)
    with pytest.raises(UserError, match="another sample_rate: got 8000, expected 16000"):
        prepare_corpus(source, out, 16000)
    with pytest.raises(UserError, match="another split"):
        prepare_corpus(source, out, 8000, seed=1)
    assert snapshot(out) == before


@pytest.mark.parametrize("rate", [22050, 44100, 11025, 4000, 0, -200])
def test_rates_without_a_whole_frame_are_refused(sentences, tmp_path, rate):
    with pytest.raises(UserError, match=rf"{rate} Hz cannot be used: a 5 ms frame"):
        prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", rate)
    assert not (tmp_path / "out").exists()


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


def test_what_there_is_no_memory_for_is_skipped(sentences, tmp_path, monkeypatch):
    render = SpokenSentences.render

    def needs_much(self, item):
        return np.empty(1 << 50) if item.id == "sentences-0002" else render(self, item)

    monkeypatch.setattr(SpokenSentences, "render", needs_much)
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", 8000
    )
    assert corpus.skipped == {"sentences-0002": "there is not enough memory for the recording sentences-0002"}


def test_an_error_only_when_none_is_left(make_ljspeech, tmp_path):
    root = make_ljspeech({"x": "Two green trees.", "y": "One apple."}, suffix="wav")
    (root / "wavs" / "x.wav").unlink()
    corpus = prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "one", 16000)
    assert corpus.sizes == {"train": 1, "dev": 1, "test": 1}
    (root / "wavs" / "y.wav").unlink()
    with pytest.raises(UserError, match="no utterance of the corpus 'ljspeech' could be used: .*x.wav"):
        prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), tmp_path / "none", 16000)
    assert not (tmp_path / "none" / "corpus.json").exists()


def test_a_mended_recording_is_made_again_and_the_others_kept(make_ljspeech, tmp_path):
    root = make_ljspeech()
    out = tmp_path / "out"
    prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), out, 16000)
    before = {p.name: p.stat().st_mtime_ns for p in (out / "audio").iterdir()}
    waveform, rate = soundfile.read(root / "wavs" / "a-2.flac")
    soundfile.write(root / "wavs" / "a-2.flac", waveform * 0.5, rate)
    prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), out, 16000)
    after = {p.name: p.stat().st_mtime_ns for p in (out / "audio").iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["a-2.wav"]


def test_loudness_is_changed_only_on_demand(sentences, tmp_path):
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)),
        tmp_path / "out",
        16000,
        loudness_dbfs=-30.0,
    )
    for utterance in corpus.utterances("train"):
        level = 10 * torch.log10(utterance.waveform.double().square().mean())
        assert float(level) == pytest.approx(-30, abs=0.2)


def test_a_full_disk_is_said_in_one_sentence(sentences, tmp_path, monkeypatch):
    def full(path, content):
        raise UserError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", 16000)
    assert not (tmp_path / "out" / "corpus.json").exists()


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


def test_a_corpus_can_be_moved(sentences, tmp_path):
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", 8000
    )
    expected = [u.waveform for u in corpus.utterances("train")]
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    moved = Corpus.open(tmp_path / "elsewhere")
    for waveform, utterance in zip(expected, moved.utterances("train"), strict=True):
        assert torch.equal(waveform, utterance.waveform)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_splits_are_seeded_disjoint_and_never_empty(number, num_dev, num_test, seed):
    ids = [f"u{i}" for i in range(number)]
    splits = split_ids(ids, seed, num_dev, num_test)
    assert splits == split_ids(ids[::-1], seed, num_dev, num_test)
    assert all(splits.values())
    assert {id_ for split in splits.values() for id_ in split} == {*ids}
    if number >= 3:
        assert sum(map(len, splits.values())) == number
        assert len(splits["train"]) >= len(splits["dev"])


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


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format_version=99),
        lambda d: d.pop("encoder"),
        lambda d: d["encoder"].pop("mean"),
        lambda d: d.update(prosody=[]),
        lambda d: d.update(splits={}),
        lambda d: d.update(front_end={"nobody": 1}),
        lambda d: d.update(sample_rate="fast"),
        lambda d: d["settings"].update(pitch={"name": "os.system"}),
    ],
)
def test_malformed_corpora_are_refused(sentences, tmp_path, damage):
    directory = tmp_path / "out"
    prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    data = json.loads((directory / "corpus.json").read_text())
    damage(data)
    (directory / "corpus.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match="corpus.json"):
        Corpus.open(directory)


def frames_file(directory: Path, id_: str) -> Path:
    [path] = (directory / "frames").rglob(f"{id_}.npy")
    return path


def cut_audio_short(directory: Path, id_: str) -> str:
    path = directory / "audio" / f"{id_}.wav"
    path.write_bytes(path.read_bytes()[:1000])
    return path.name


def write_frames(frames: object) -> Callable[[Path, str], str]:
    def damage(directory: Path, id_: str) -> str:
        path = frames_file(directory, id_)
        np.save(path, frames(np.load(path)))
        return path.name

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        cut_audio_short,
        write_frames(lambda frames: frames[:-1]),
        write_frames(lambda frames: frames[:, :-1]),
        write_frames(lambda frames: frames[0]),
        write_frames(lambda frames: frames.astype(str)),
        write_frames(lambda frames: frames * np.float32("nan")),
    ],
)
def test_loading_a_cut_names_the_damaged_file(sentences, tmp_path, damage):
    directory = tmp_path / "out"
    corpus = prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    cut = corpus.cuts("dev")[0]
    waveform, frames = corpus.load(cut)
    np.testing.assert_array_equal(waveform, cut.load_audio()[0])
    np.testing.assert_array_equal(frames, cut.load_frames())
    name = damage(directory, cut.id)
    with pytest.raises(UserError, match=name.removesuffix(".npy").removesuffix(".wav")):
        corpus.load(cut)


def edit_dev_cuts(directory: Path, edit: Callable[[dict], None]) -> None:
    path = directory / "dev.cuts.jsonl.gz"
    cuts = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for cut in cuts:
        edit(cut)
    path.write_bytes(gzip.compress("\n".join(json.dumps(cut) for cut in cuts).encode()))


def test_a_corpus_handed_over_runs_no_commands(sentences, tmp_path):
    directory = tmp_path / "out"
    prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    command = f"touch {tmp_path / 'ran'}; cat "

    def edit(cut: dict) -> None:
        source = cut["recording"]["sources"][0]
        source.update(type="command", source=f"{command} {directory / source['source']}")
        cut["custom"]["frames"]["array"]["storage_type"] = "memory_raw"
        nested = {"id": "x", "sources": [dict(source)], "sampling_rate": 8000}
        cut["custom"]["more"] = cut["supervisions"][0]["custom"]["more"] = {
            **nested,
            "num_samples": 1,
            "duration": 1.0,
        }

    edit_dev_cuts(directory, edit)
    cut = Corpus.open(directory).cuts("dev")[0]
    assert cut.recording.sources[0].type == "file"
    assert cut.custom.keys() == {"frames"} and cut.frames.array.storage_type == "numpy_files"
    assert cut.supervisions[0].custom.keys() == {"stress", "word", "phrase"}
    with pytest.raises(UserError, match="does not exist"):
        list(Corpus.open(directory).utterances("dev"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["../../other/a.wav", "/etc/passwd", "audio/../../../other/a.wav"])
@pytest.mark.parametrize("place", ["source", "storage_path", "storage_key"])
def test_a_corpus_handed_over_names_only_files_of_its_own(sentences, tmp_path, name, place):
    directory = tmp_path / "out"
    prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)

    def edit(cut: dict) -> None:
        array, source = cut["custom"]["frames"]["array"], cut["recording"]["sources"][0]
        (source if place == "source" else array)[place] = name

    edit_dev_cuts(directory, edit)
    with pytest.raises(UserError, match="inside the corpus"):
        Corpus.open(directory).cuts("dev")


@pytest.mark.parametrize(
    "change, reason",
    [
        (
            lambda data: data["front_end"].update(voice="../../x"),
            "corpus.json, front_end: the espeak voice '../../x' is not a valid name",
        ),
        (
            lambda data: data["front_end"].update(pitch="high"),
            "corpus.json, front_end: pitch is 'high', expected a whole number",
        ),
        (
            lambda data: data["front_end"].update(command="x"),
            "corpus.json, front_end has the argument 'command'",
        ),
        (lambda data: data.update(front_end=data["prosody"]), "expected a FrontEnd"),
        (lambda data: data.update(prosody={"_target_": "os.system"}), "names the target 'os.system'"),
        (
            lambda data: data["encoder"]["layout"].update(context_width=10**5),
            "corpus.json, layout: .*context_width must be within",
        ),
        (
            lambda data: data["settings"]["pitch"].update(min_hz=1e-9),
            "corpus.json, settings.pitch: a pitch tracker needs 1 <=",
        ),
    ],
)
def test_settings_of_a_corpus_handed_over_are_checked(sentences, tmp_path, change, reason):
    directory = tmp_path / "out"
    prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    data = json.loads((directory / "corpus.json").read_text(encoding="utf-8"))
    change(data)
    (directory / "corpus.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError, match=reason):
        Corpus.open(directory)


def test_a_corpus_handed_over_takes_no_memory_for_what_is_not_there(sentences, tmp_path):
    directory = tmp_path / "out"
    corpus = prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    frames = frames_file(directory, next(corpus.utterances("dev")).id)
    with frames.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (2**45, 20)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match=f"the frames {frames} cannot be read"):
        list(corpus.utterances("dev"))
    (directory / "dev.cuts.jsonl.gz").write_bytes(gzip.compress(b"[" * 100_000))
    with pytest.raises(UserError, match="dev.cuts.jsonl.gz is missing or malformed"):
        corpus.cuts("dev")
    (directory / "corpus.json").write_bytes(b"[" * 100_000)
    with pytest.raises(UserError, match="corpus.json cannot be read or is not JSON"):
        Corpus.open(directory)


def test_a_corpus_knows_its_pitch_tracker(sentences, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)  # nobody needs Praat who chose the other
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    tracker = PyinPitch(min_hz=80.0, max_hz=300.0)
    corpus = prepare_corpus(source, tmp_path / "out", 8000, pitch=tracker, num_jobs=1)
    assert corpus.prosody.pitch == Corpus.open(tmp_path / "out").prosody.pitch == tracker
    with pytest.raises(UserError, match="min_hz=400"):
        prepare_corpus(source, tmp_path / "other", 8000, pitch=PyinPitch(400.0, 80.0))
    assert not (tmp_path / "other").exists()


def test_damaged_files_of_a_corpus_are_named(sentences, tmp_path):
    directory = tmp_path / "out"
    corpus = prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    id_ = next(corpus.utterances("dev")).id
    frames = frames_file(directory, id_)
    frames.write_bytes(frames.read_bytes()[:200])
    with pytest.raises(UserError, match=id_):
        list(Corpus.open(directory).utterances("dev"))
    (directory / "audio" / f"{id_}.wav").unlink()
    with pytest.raises(UserError, match=f"{id_}.wav does not exist"):
        list(corpus.utterances("dev"))
    with pytest.raises(UserError, match="train, dev, test, got 'all'"):
        corpus.cuts("all")
    (directory / "dev.cuts.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match="dev.cuts.jsonl.gz"):
        corpus.cuts("dev")
    (directory / "dev.cuts.jsonl.gz").unlink()
    with pytest.raises(UserError, match="dev.cuts.jsonl.gz is missing"):
        Corpus.open(directory)
    (directory / "corpus.json").write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        Corpus.open(directory)
