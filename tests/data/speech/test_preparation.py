import json
from dataclasses import dataclass, replace

import pytest
from omegaconf import OmegaConf

from wavegen.audio.pitch import PraatPitch
from wavegen.data.speech.files import write_json
from wavegen.data.speech.preparation import Preparation, arguments_of
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.prosody.register import RegisterProsody


def test_other_settings_are_refused_in_the_same_directory(sentences, tmp_path):
    source, out = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out"
    prepare_corpus(source, out, 8000)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="another sample_rate: got 8000, expected 16000"):
        prepare_corpus(source, out, 16000)
    with pytest.raises(UserError, match="another split"):
        prepare_corpus(source, out, 8000, seed=1)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("rate", [22050, 44100, 11025, 4000, 0, -200])
def test_rates_without_a_whole_frame_are_refused(sentences, tmp_path, rate):
    with pytest.raises(UserError, match=rf"{rate} Hz cannot be used: a 5 ms frame"):
        prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", rate)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def source(sentences):
    return SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))


def test_settings_are_json_and_differ_where_the_corpus_would(source):
    settings = Preparation(source=source).settings()
    assert json.loads(json.dumps(settings)) == settings
    for change, key in (
        ({"sample_rate": 8000}, "sample_rate"),
        ({"seed": 1}, "split"),
        ({"num_dev": 3}, "split"),
        ({"loudness_dbfs": -20.0}, "loudness_dbfs"),
        ({"layout": PhoneLayout(context_width=1)}, "layout"),
    ):
        other = Preparation(source=source, **change).settings()
        assert [name for name in settings if settings[name] != other[name]] == [key]


def test_the_default_prosody_listens_with_the_same_tracker(source):
    tracker = PraatPitch(70.0, 300.0)
    assert Preparation(source=source, pitch=tracker).prosody == RegisterProsody(pitch=tracker)


def test_a_folder_with_other_settings_is_refused_and_an_empty_one_taken(source, tmp_path):
    preparation = Preparation(source=source)
    preparation.check(tmp_path)
    write_json(tmp_path / "settings.json", preparation.settings())
    preparation.check(tmp_path)
    with pytest.raises(
        UserError, match=f"{tmp_path} contains a corpus prepared with another loudness_dbfs: got null"
    ):
        Preparation(source=source, loudness_dbfs=-20.0).check(tmp_path)


def test_the_message_names_the_keys_that_differ_and_no_others(source, tmp_path):
    Preparation(source=source).keep(tmp_path)
    louder = replace(source, front_end=EspeakFrontEnd(pitch=60))
    with pytest.raises(UserError) as caught:
        Preparation(source=louder, sample_rate=8000, seed=1).check(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} contains a corpus prepared with another sample_rate: got 16000, expected 8000; another "
        "source.front_end.pitch: got 50, expected 60; another split.seed: got 0, expected 1; choose another "
        "corpus.directory or delete that folder"
    )
    with pytest.raises(
        UserError, match=r"another pitch\.max_hz: got 400.0, expected 300.0; another pitch\.m.*more;"
    ):
        Preparation(source=louder, pitch=PraatPitch(70.0, 300.0), seed=1).check(tmp_path)


def test_of_another_class_the_name_alone_is_compared(source, tmp_path):
    settings = Preparation(source=source).settings()
    settings["source"]["front_end"] = {"_target_": "wavegen.letters.Letters", "letters": "abc" * 1000}
    write_json(tmp_path / "settings.json", settings)
    with pytest.raises(UserError) as caught:
        Preparation(source=source).check(tmp_path)
    classes = 'got "wavegen.letters.Letters", expected "wavegen.linguistics.frontends.espeak.'
    assert f'another source.front_end._target_: {classes}front_end.EspeakFrontEnd"; choose' in str(
        caught.value
    )
    settings["source"]["front_end"] = "abc" * 1000
    write_json(tmp_path / "settings.json", settings)
    with pytest.raises(UserError) as caught:
        Preparation(source=source).check(tmp_path)
    assert "another source.front_end: got" in str(caught.value) and len(str(caught.value)) < 500


def test_settings_are_kept_once(source, tmp_path):
    Preparation(source=source).keep(tmp_path)
    before = (tmp_path / "settings.json").read_bytes()
    assert json.loads(before) == Preparation(source=source).settings()
    Preparation(source=source, seed=1).keep(tmp_path)
    assert (tmp_path / "settings.json").read_bytes() == before


def test_arguments_are_the_groups_entries_made(source):
    pitch = {"_target_": "wavegen.audio.pitch.PraatPitch", "min_hz": 80.0}
    group = OmegaConf.create({"name": "x", "root": "y", "front_end": {"z": 1}, "seed": 2, "pitch": pitch})
    arguments = arguments_of(group)
    assert arguments == {"seed": 2, "pitch": PraatPitch(min_hz=80.0)}
    assert arguments_of({"source": source}) == {"source": source}


@dataclass
class Thawed:
    def read(self, text): ...


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("front_end", "the front end Thawed is no frozen dataclass"),
        ("prosody", "the prosody Thawed is no frozen dataclass"),
        ("layout", "the feature layout Thawed is no frozen dataclass"),
        ("pitch", "the pitch tracker Thawed is no frozen dataclass"),
    ],
)
def test_parts_that_a_corpus_cannot_store_are_refused_at_once(source, part, message, tmp_path):
    settings = {"source": source}
    if part == "front_end":
        settings["source"] = replace(source, front_end=Thawed())
    else:
        settings[part] = Thawed()
    with pytest.raises(UserError, match=message):
        prepare_corpus(directory=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()
