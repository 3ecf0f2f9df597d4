import pytest

from wavegen.data.speech import files
from wavegen.data.speech.files import read_json, write_json
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd


def test_a_full_disk_is_said_in_one_sentence(sentences, tmp_path, monkeypatch):
    def full(path, content):
        raise UserError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", 16000)
    assert not (tmp_path / "out" / "corpus.json").exists()


def test_json_comes_back_as_it_was_written(tmp_path):
    data = {"text": "ünïcödé", "values": [1, 2.5, None], "nested": {"a": True}}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    assert "ünïcödé" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_numbers_that_json_does_not_have_are_not_written(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "a.json does not exist"),
        (b"{", "a.json cannot be read or is not JSON"),
        (b"\xff\xfe", "a.json cannot be read or is not JSON"),
        (b"[" * 100_000, "a.json cannot be read or is not JSON"),
        (b"[1]", "a.json: expected a JSON object, got list"),
        (b"null", "expected a JSON object, got NoneType"),
    ],
)
def test_what_is_no_json_object_is_named(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        read_json(tmp_path / "a.json")
