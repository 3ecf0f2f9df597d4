"""Shards: what Lhotse reads, what the corpus had without them, and refusals of what does not fit."""

import gzip
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.shards import Shards, ShardWriter
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sharded")
    path = folder / "sentences.txt"
    path.write_text("".join(f"Number {n} is here.\n" for n in ("one", "two", "three", "four", "five", "six")))
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(path))
    for name, shard_size in (("plain", None), ("sharded", 3)):
        prepare_corpus(source, folder / name, 8000, num_dev=1, num_test=1, num_jobs=1, shard_size=shard_size)
    return folder


@pytest.fixture
def sharded(prepared, tmp_path) -> Corpus:
    """A copy that a test may damage."""
    shutil.copytree(prepared / "sharded", tmp_path / "sharded")
    return Corpus.open(tmp_path / "sharded")


def test_a_sharded_corpus_has_what_the_same_corpus_has_without_shards(prepared):
    plain, sharded = (Corpus.open(prepared / name) for name in ("plain", "sharded"))
    assert sharded.encoder.to_dict() == plain.encoder.to_dict() and sharded.sizes == plain.sizes
    for split in plain.sizes:
        for one, other in zip(plain.utterances(split), sharded.utterances(split), strict=True):
            assert (one.id, one.text, one.phones) == (other.id, other.text, other.phones)
            np.testing.assert_array_equal(one.waveform, other.waveform)
            np.testing.assert_array_equal(one.context["features"], other.context["features"])
    assert plain.shards("train") is None and sharded.shards("dev") is None
    assert len(sharded.shards("train")) == len(sharded.cuts("train")) == 4


def test_what_is_in_shards_lies_there_alone(prepared):
    directory = prepared / "sharded"
    others = {cut.id for split in ("dev", "test") for cut in Corpus.open(directory).cuts(split)}
    for pattern in ("audio/*.wav", "utterances/*.json"):
        assert {path.stem for path in directory.glob(pattern)} == others
    assert {path.stem for path in directory.glob("frames/**/*.npy")} == others
    assert not list(directory.glob("*.partial"))


def test_lhotse_reads_them(prepared):
    corpus = Corpus.open(prepared / "sharded")
    for theirs, utterance in zip(
        CutSet.from_shar(in_dir=prepared / "sharded" / "train"), corpus.utterances("train"), strict=True
    ):
        assert theirs.id == utterance.id
        np.testing.assert_array_equal(theirs.load_audio()[0], utterance.waveform)
        assert theirs.load_frames().shape[0] * corpus.hop_samples == len(utterance.waveform)


def test_a_shard_holds_as_many_utterances_as_asked_for(prepared):
    shards = Corpus.open(prepared / "sharded").shards("train")
    assert [utterances for utterances, _ in shards.sizes] == [3, 1]
    cuts = shards.read(1)
    assert len(cuts) == 1 and shards.sizes[1][1] == round(cuts[0].duration * 200)


def test_an_interrupted_writing_leaves_the_shards_that_were_there(sharded):
    before = {path: path.read_bytes() for path in sorted(sharded.directory.rglob("*")) if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        with ShardWriter(sharded.directory, "train", 2) as writer:
            writer.write(next(iter(sharded.cuts("train"))))
            raise KeyboardInterrupt
    assert {p: p.read_bytes() for p in sorted(sharded.directory.rglob("*")) if p.is_file()} == before


def test_a_folder_that_cannot_be_written_is_named(sharded, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="cannot write .*train.partial: No space left on device"):
        with ShardWriter(sharded.directory, "train", 2) as writer:
            monkeypatch.setattr(tarfile.TarFile, "addfile", full)
            writer.write(next(iter(sharded.cuts("train"))))


@pytest.mark.parametrize(
    "content, message",
    [
        ("{}", "train.shards.json is malformed: KeyError"),
        ('{"utterances_and_frames": [[3]]}', "train.shards.json is malformed"),
        ('{"utterances_and_frames": []}', "expected whole numbers above 0 for at least one shard"),
        ('{"utterances_and_frames": [[3, -1]]}', "expected whole numbers above 0"),
        ('{"utterances_and_frames": [[3, 1e300]]}', "expected whole numbers above 0"),
        ('{"utterances_and_frames": [[3, Infinity]]}', "train.shards.json is malformed"),
    ],
)
def test_a_malformed_list_is_refused(sharded, content, message):
    (sharded.directory / "train.shards.json").write_text(content)
    with pytest.raises(UserError, match=message):
        Corpus.open(sharded.directory)


def rewrite(path: Path, change) -> None:
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    change(lines)
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda lines: lines.pop(), "has 2 utterances of .* but the list of shards states 3 of"),
        (lambda lines: lines.append(lines[0]), "has 4 utterances of .* but the list of shards states 3 of"),
        (lambda lines: lines[1].update(id="other"), "000000.jsonl.gz is missing or malformed: KeyError"),
        (lambda lines: lines[1].update(type="MultiCut"), "type 'MultiCut', expected MonoCut"),
        (lambda lines: lines[1].update(duration="x"), "is missing or malformed"),
    ],
)
def test_cuts_that_do_not_fit_are_refused(sharded, change, message):
    rewrite(sharded.directory / "train" / "cuts.000000.jsonl.gz", change)
    with pytest.raises(UserError, match=message):
        list(sharded.cuts("train"))


def test_a_cut_of_a_shard_opens_no_file_and_runs_no_command(sharded, tmp_path):
    def hostile(lines):
        lines[0]["recording"]["sources"][0].update(type="command", source=f"touch {tmp_path}/ran")
        lines[0]["custom"]["frames"]["array"].update(storage_type="numpy_files", storage_path="/etc")
        lines[0]["features"] = {"storage_path": "/etc/passwd"}

    expected = [u.waveform for u in sharded.utterances("train")]
    rewrite(sharded.directory / "train" / "cuts.000000.jsonl.gz", hostile)
    for waveform, utterance in zip(expected, sharded.utterances("train"), strict=True):
        np.testing.assert_array_equal(waveform, utterance.waveform)
    assert not (tmp_path / "ran").exists()


def test_missing_and_damaged_archives_are_named(sharded):
    path = sharded.directory / "train" / "recording.000000.tar"
    content = path.read_bytes()
    path.write_bytes(content[:700])
    with pytest.raises(
        UserError, match="recording.000000.tar cannot be read|cuts.000000.jsonl.gz is missing"
    ):
        sharded.shards("train").read(0)
    path.unlink()
    with pytest.raises(UserError, match="recording.000000.tar does not exist"):
        sharded.shards("train").read(0)


def test_links_and_sparse_members_of_an_archive_are_not_followed(sharded):
    """A link could name a file of the machine, a sparse member claim any size."""
    path = sharded.directory / "train" / "frames.000000.tar"
    ids = [cut.id for cut in sharded.shards("train").read(0)]
    with tarfile.open(path, "w") as archive:
        for id_, kind in zip(ids, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.GNUTYPE_SPARSE), strict=True):
            member = tarfile.TarInfo(f"{id_}.npy")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    with pytest.raises(UserError, match="cannot be read|KeyError"):
        sharded.shards("train").read(0)


def test_a_part_without_shards_has_none(tmp_path):
    assert Shards.open(tmp_path, "train") is None


@pytest.mark.parametrize("shard_size", [0, -1, 2.5, "many"])
def test_a_wrong_shard_size_is_refused_before_anything_is_written(tmp_path, sentences, shard_size):
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    with pytest.raises(UserError, match="corpus.shard_size must be a whole number of at least 1, or null"):
        prepare_corpus(source, tmp_path / "out", 8000, shard_size=shard_size)
    assert not (tmp_path / "out").exists()
