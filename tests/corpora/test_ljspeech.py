import numpy as np
import pytest
import soundfile

from wavegen.corpora.ljspeech import LjspeechCorpus
from wavegen.corpora.source import SkippedUtterance
from wavegen.errors import UserError


def only(corpus: LjspeechCorpus):
    items, problems = corpus.items()
    assert not problems
    return corpus.render(items[0])


@pytest.mark.parametrize(("suffix", "rate"), [("wav", 16000), ("flac", 22050), ("flac", 44100)])
def test_recordings_of_any_kind_are_aligned(make_ljspeech, suffix, rate):
    rendition = only(LjspeechCorpus(str(make_ljspeech({"x": "Two green trees."}, suffix, rate))))
    assert rendition.sample_rate == rate
    assert rendition.phones[-1].end_s == pytest.approx(len(rendition.waveform) / rate)
    assert [p.phone for p in rendition.phones if not p.is_silence] == "t uː ɡ ɹ iː n t ɹ iː z".split()


def test_stereo_is_mixed_down_and_noted(make_ljspeech):
    root = make_ljspeech({"x": "Two green trees."})
    mono, rate = soundfile.read(root / "wavs" / "x.flac")
    (root / "wavs" / "x.flac").unlink()
    soundfile.write(root / "wavs" / "x.wav", np.stack([mono, 0 * mono], 1), rate)
    rendition = only(LjspeechCorpus(str(root)))
    assert len(rendition.notes) == 1 and "mixed down" in rendition.notes[0]
    np.testing.assert_allclose(rendition.waveform, mono / 2, atol=1e-4)


def test_the_normalised_text_is_preferred(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    lines = "x|10 %|ten percent\ny|only one text\n"
    (root / "metadata.csv").write_text(lines)
    (root / "wavs" / "y.flac").write_bytes((root / "wavs" / "x.flac").read_bytes())
    assert [item.text for item in LjspeechCorpus(str(root)).items()[0]] == ["ten percent", "only one text"]


def test_bad_lines_of_the_metadata_are_told_apart(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    lines = ["x|ten|ten", "x|ten|ten", "../x|ten|ten", "gone|text|text", "x2|", "", "|text"]
    (root / "metadata.csv").write_text("\n".join(lines))
    items, problems = LjspeechCorpus(str(root)).items()
    assert [item.id for item in items] == ["x"]
    reasons = " / ".join(problems.values())
    assert len(problems) == 5
    for words in (
        "occurs a second time",
        "'../x' cannot be",
        "gone.wav (or .flac) is missing",
        "no text",
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
    elif content == "short":
        soundfile.write(path, np.sin(np.arange(500)), 16000)
    else:
        path.write_bytes(content)
    with pytest.raises(SkippedUtterance, match=reason) as caught:
        only(LjspeechCorpus(str(root)))
    assert "x.wav" in str(caught.value)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(UserError, match="corpus.root=DIR"):
        LjspeechCorpus().items()
    with pytest.raises(UserError, match="nowhere is not a folder"):
        LjspeechCorpus(str(tmp_path / "nowhere")).items()
    with pytest.raises(UserError, match="has no metadata.csv"):
        LjspeechCorpus(str(tmp_path)).items()
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(UserError, match="has no wavs"):
        LjspeechCorpus(str(tmp_path)).items()
    (tmp_path / "wavs").mkdir()
    with pytest.raises(UserError, match="lists no recording"):
        LjspeechCorpus(str(tmp_path)).items()


def test_metadata_in_another_encoding_is_refused(make_ljspeech):
    root = make_ljspeech({"x": "ten"})
    (root / "metadata.csv").write_bytes("x|schön|schön".encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        LjspeechCorpus(str(root)).items()
