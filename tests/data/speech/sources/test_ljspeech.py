import os

import numpy as np
import pytest
import soundfile

from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.source import SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd


def only(corpus: LjspeechCorpus):
    items, problems = corpus.items()
    assert not problems
    return corpus.render(items[0])


@pytest.mark.parametrize(("suffix", "rate"), [("wav", 16000), ("flac", 22050), ("flac", 44100)])
def test_recordings_of_any_kind_are_aligned(make_ljspeech, suffix, rate):
    rendition = only(
        LjspeechCorpus(EspeakFrontEnd(), str(make_ljspeech({"x": "Two green trees."}, suffix, rate)))
    )
    assert rendition.sample_rate == rate
    assert rendition.phones[-1].end_s == pytest.approx(len(rendition.waveform) / rate)
    assert [p.phone for p in rendition.phones if not p.is_silence] == "t uː ɡ ɹ iː n t ɹ iː z".split()


def test_stereo_is_mixed_down_and_noted(make_ljspeech):
    root = make_ljspeech({"x": "Two green trees."})
    mono, rate = soundfile.read(root / "wavs" / "x.flac")
    (root / "wavs" / "x.flac").unlink()
    soundfile.write(root / "wavs" / "x.wav", np.stack([mono, 0 * mono], 1), rate)
    rendition = only(LjspeechCorpus(EspeakFrontEnd(), str(root)))
    assert len(rendition.notes) == 1 and "mixed down" in rendition.notes[0]
    np.testing.assert_allclose(rendition.waveform, mono / 2, atol=1e-4)


def test_some_clipped_samples_are_noted(make_ljspeech):
    root = make_ljspeech({"x": "Two green trees."}, "wav")
    waveform, rate = soundfile.read(root / "wavs" / "x.wav")
    assert only(LjspeechCorpus(EspeakFrontEnd(), str(root))).notes == ()
    limit = np.quantile(np.abs(waveform), 0.98)
    soundfile.write(root / "wavs" / "x.wav", np.clip(waveform, -limit, limit), rate)
    (note,) = only(LjspeechCorpus(EspeakFrontEnd(), str(root))).notes
    assert "clipped" in note


def test_the_normalised_text_is_preferred(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    lines = "x|10 %|ten percent\ny|only one text\n"
    (root / "metadata.csv").write_text(lines)
    (root / "wavs" / "y.flac").write_bytes((root / "wavs" / "x.flac").read_bytes())
    assert [item.text for item in LjspeechCorpus(EspeakFrontEnd(), str(root)).items()[0]] == [
        "ten percent",
        "only one text",
    ]


def test_bad_lines_of_the_metadata_are_told_apart(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    lines = ["x|ten|ten", "x|ten|ten", "../x|ten|ten", "gone|text|text", "x2|", "", "|text"]
    (root / "metadata.csv").write_text("\n".join(lines))
    items, problems = LjspeechCorpus(EspeakFrontEnd(), str(root)).items()
    assert [item.id for item in items] == ["x"]
    reasons = " / ".join(problems.values())
    assert len(problems) == 5
    for words in (
        "is a duplicate",
        "'../x' cannot be",
        "gone.wav (or .flac) is missing",
        "the text is missing",
        "'' cannot",
    ):
        assert words in reasons


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"this is no audio", "cannot be read"),
        ("silent", "is silent"),
        ("no samples", "is empty"),
        ("truncated", "truncated"),
        ("short", "too short"),
        ("clipped", "is clipped: (5|6|7).? % of its samples are at its largest level"),
    ],
)
def test_unusable_recordings_are_skipped_with_the_reason(make_ljspeech, content, reason):
    root = make_ljspeech({"x": "Two green trees."}, "wav")
    path = root / "wavs" / "x.wav"
    if content == "silent":
        soundfile.write(path, np.full(16000, 0.01), 16000)
    elif content == "no samples":
        soundfile.write(path, np.zeros(0), 16000)
    elif content == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
    elif content == "clipped":
        waveform, rate = soundfile.read(path)
        limit = np.quantile(np.abs(waveform), 1 - 0.62)
        soundfile.write(path, 0.9 / limit * np.clip(waveform, -limit, limit), rate)
    elif content == "short":
        soundfile.write(path, np.sin(np.arange(500)), 16000)
    else:
        path.write_bytes(content)
    with pytest.raises(SkippedUtterance, match=reason) as caught:
        only(LjspeechCorpus(EspeakFrontEnd(), str(root)))
    assert "x.wav" in str(caught.value)


def test_lines_that_cannot_be_used_do_not_end_the_others(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    lines = [
        b"x|ten|ten",
        "schön|schön|schön".encode("latin-1"),
        b"u" * 300 + b"|ten|ten",
        b"v" * 253 + b"|ten|ten",
        b"long|" + b"word " * 200_000,
        b"m" * 3_000_000,
        b"nul\0|ten|ten",
        b"up/../x|ten|ten",
    ]
    (root / "metadata.csv").write_bytes(b"\n".join(lines))
    items, problems = LjspeechCorpus(EspeakFrontEnd(), str(root)).items()
    assert [(item.id, item.name, item.text) for item in items] == [("x", "x", "ten")]
    assert len(problems) == len(lines) - 1
    reasons = " / ".join(problems.values())
    for words in (
        "line 2 is not UTF-8 text",
        "an id of 300 characters cannot be",
        "cannot be read: File name too long",
        "a text of 999999 characters is too long for a recording of at most 600 s",
        "an id of 3000000 characters cannot be",
        r"'nul\x00' cannot be",
        "'up/../x' cannot be",
    ):
        assert words in reasons
    assert all(len(reason) < 1000 for reason in reasons.split(" / "))


def test_only_a_line_feed_ends_a_line(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    (root / "metadata.csv").write_bytes("\ufeffx|one\u2028two\x0bthree\x85four\r\n".encode())
    assert [item.text for item in LjspeechCorpus(EspeakFrontEnd(), str(root)).items()[0]] == [
        "one\u2028two\x0bthree\x85four"
    ]


@pytest.mark.parametrize("name", ["x" * 246, "x\x1b[2J", "X~0123456789ab", "tab\tulator"])
def test_recordings_of_any_name_get_ids_that_are_file_names(make_ljspeech, name):
    root = make_ljspeech({name: "Two green trees.", "y": "Ten."})
    items, problems = LjspeechCorpus(EspeakFrontEnd(), str(root)).items()
    assert not problems and [item.name for item in items] == [name, "y"]
    assert len(items[0].id) < 80 and items[0].id.isprintable() and items[1].id == "y"
    assert any(
        "other ids" in note for note in LjspeechCorpus(EspeakFrontEnd(), str(root)).render(items[0]).notes
    )
    assert not LjspeechCorpus(EspeakFrontEnd(), str(root)).render(items[1]).notes


def test_names_that_differ_by_case_alone_are_kept_apart(make_ljspeech):
    root = make_ljspeech({"Utt": "Two green trees.", "utt": "Ten."})
    ids = [item.id for item in LjspeechCorpus(EspeakFrontEnd(), str(root)).items()[0]]
    assert len({id_.casefold() for id_ in ids}) == 2


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_no_recording(make_ljspeech, make):
    root = make_ljspeech({"x": "ten", "y": "ten"}, "wav")
    (root / "wavs" / "x.wav").unlink()
    make(root / "wavs" / "x.wav")
    items, problems = LjspeechCorpus(EspeakFrontEnd(), str(root)).items()
    assert [item.id for item in items] == ["y"]
    assert "x.wav is a folder, a device or a pipe, expected a recording" in problems["x"]
    soundfile.write(root / "wavs" / "x.flac", np.zeros(100), 16000)
    assert [item.stamp.split()[0] for item in LjspeechCorpus(EspeakFrontEnd(), str(root)).items()[0]] == [
        "x.flac",
        "y.wav",
    ]


def test_recordings_longer_than_the_longest_are_skipped(make_ljspeech):
    root = make_ljspeech({"x": "Two green trees."}, "wav")
    with pytest.raises(SkippedUtterance, match="x.wav lasts .* expected 0.5 s at most"):
        only(LjspeechCorpus(EspeakFrontEnd(), str(root), max_duration_s=0.5))
    assert (
        LjspeechCorpus(EspeakFrontEnd(), str(root), max_duration_s=0.5).settings()
        != LjspeechCorpus(EspeakFrontEnd(), str(root)).settings()
    )


@pytest.mark.parametrize("max_duration_s", [0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_bound_that_bounds_nothing_is_refused(make_ljspeech, max_duration_s):
    with pytest.raises(UserError, match="max_duration_s is .*, expected more than 0"):
        LjspeechCorpus(EspeakFrontEnd(), str(make_ljspeech()), max_duration_s=max_duration_s).settings()


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(UserError, match="corpus.root=DIR"):
        LjspeechCorpus(EspeakFrontEnd()).items()
    with pytest.raises(UserError, match="nowhere is not a folder"):
        LjspeechCorpus(EspeakFrontEnd(), str(tmp_path / "nowhere")).items()
    with pytest.raises(UserError, match="has no metadata.csv"):
        LjspeechCorpus(EspeakFrontEnd(), str(tmp_path)).items()
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(UserError, match="has no wavs"):
        LjspeechCorpus(EspeakFrontEnd(), str(tmp_path)).items()
    (tmp_path / "wavs").mkdir()
    with pytest.raises(UserError, match="lists no recording"):
        LjspeechCorpus(EspeakFrontEnd(), str(tmp_path)).items()


def test_metadata_in_another_encoding_is_refused(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    (root / "metadata.csv").write_bytes("x|schön|schön".encode("latin-1"))
    with pytest.raises(UserError, match="metadata.csv, line 1 is not UTF-8 text"):
        LjspeechCorpus(EspeakFrontEnd(), str(root)).items()
