import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.cuts import files_of, phones_of, read_cuts, write_cut_files, write_cuts
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import TimedPhone


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


PHONES = [
    TimedPhone("_", 0.0, 0.01),
    TimedPhone("a", 0.01, 0.035, 2, 0, 0),
    TimedPhone("t", 0.035, 0.05, 0, 0, 1),
]


@pytest.fixture
def written(tmp_path):
    """An utterance's files, and its cut with paths relative to the folder."""
    waveform = np.round(np.random.default_rng(0).uniform(-0.5, 0.5, 400) * 32768).astype(np.float32) / 32768
    frames = np.arange(30, dtype=np.float32).reshape(10, 3)
    cut = write_cut_files(tmp_path, "u-1", "At.", waveform, 8000, frames, PHONES)
    return waveform, frames, cut


def test_an_utterance_is_read_as_it_was_written(written, tmp_path):
    waveform, frames, cut = written
    write_cuts(tmp_path / "a.cuts.jsonl.gz", [cut.to_dict()])
    (again,) = read_cuts(tmp_path / "a.cuts.jsonl.gz", tmp_path)
    np.testing.assert_array_equal(again.load_audio()[0], waveform)
    np.testing.assert_array_equal(again.load_custom("frames"), frames)
    assert (again.id, again.supervisions[0].text, again.duration) == ("u-1", "At.", 0.05)
    assert phones_of(again) == PHONES
    assert [path.is_relative_to(tmp_path) and path.is_file() for path in files_of(again)] == [True, True]


def test_the_same_cuts_give_the_same_bytes_and_are_left_as_they_are(written, tmp_path):
    *_, cut = written
    described = cut.to_dict()
    before = json.dumps(described)
    for name in ("a", "b"):
        write_cuts(tmp_path / name, [described])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.dumps(described) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda cut: cut.update(type="MixedCut"),
        lambda cut: cut.pop("recording"),
        lambda cut: cut["custom"].pop("frames"),
        lambda cut: cut["recording"].update(sources=[]),
        lambda cut: cut.update(supervisions=2 * cut["supervisions"]),
        lambda cut: cut["supervisions"][0]["custom"].pop("stress"),
        lambda cut: cut.update(duration=-1.0),
    ],
)
def test_a_malformed_cut_is_named_with_its_file(written, tmp_path, change):
    *_, cut = written
    described = json.loads(json.dumps(cut.to_dict()))
    change(described)
    path = tmp_path / "a.cuts.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(described).encode()))
    with pytest.raises(UserError, match="a.cuts.jsonl.gz is missing or malformed"):
        read_cuts(path, tmp_path)


def test_phones_that_are_missing_are_named_with_their_cut(written):
    *_, cut = written
    cut.supervisions[0].custom["word"].pop()
    with pytest.raises(UserError, match="the phones of the cut u-1 are missing or malformed"):
        phones_of(cut)
