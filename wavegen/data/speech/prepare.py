"""Prepares a corpus on disk from a source of utterances (``docs/architecture.md``, "Corpus on disk")."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wavegen.audio.pitch import FRAME_S
from wavegen.data.speech.corpus import FORMAT_VERSION, Corpus
from wavegen.data.speech.cuts import files_of, read_cut, write_cuts
from wavegen.data.speech.exclusive import exclusively
from wavegen.data.speech.files import write_json
from wavegen.data.speech.names import printable
from wavegen.data.speech.preparation import Preparation, arguments_of
from wavegen.data.speech.retiming import finished_records
from wavegen.data.speech.shards import SHARDED, ShardWriter
from wavegen.data.speech.sources.source import CorpusItem, CorpusSource
from wavegen.data.speech.splits import split_ids
from wavegen.data.speech.utterance_maker import UtteranceMaker, read_record, record_path
from wavegen.errors import UserError
from wavegen.linguistics.analysis import TextAnalysis
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.phones import SILENCE
from wavegen.linguistics.prosody.prosody import fitted
from wavegen.untrusted.parts import describe
from wavegen.workers import available_cores, map_in_processes


def ensure_prepared(corpus_config: Mapping[str, Any]) -> Corpus:
    """Returns the corpus that ``corpus_config`` describes, and prepares it first if necessary.

    Args:
        corpus_config: the ``corpus`` group of a recipe's configuration, see :func:`arguments_of`.
    """
    arguments = arguments_of(corpus_config)
    directory = Path(arguments["directory"])
    if not (directory / "corpus.json").is_file():
        return prepare_corpus(**arguments)
    settings = {key: value for key, value in arguments.items() if key not in ("directory", "num_jobs")}
    Preparation(**settings).check(directory)
    return Corpus.open(directory)


def prepare_corpus(
    source: CorpusSource,
    directory: str | Path,
    sample_rate: int = 16000,
    *,
    num_jobs: int | None = None,
    **settings: Any,
) -> Corpus:
    """Prepares every utterance of ``source`` and writes the corpus to ``directory``.

    An interrupted preparation continues: an existing utterance is reused unless its text or recording has
    changed.

    Args:
        source: of the utterances.
        directory: of the corpus; created if missing.
        sample_rate: of the corpus, Hz.
        num_jobs: number of processes; by default the number of processors.
        settings: other arguments of :class:`~wavegen.data.speech.preparation.Preparation`.

    Raises:
        UserError: if the sample rate is unusable, no utterance is usable, or the directory has a corpus with
            other settings or cannot be written to.
    """
    directory = Path(directory)
    preparation = Preparation(source, sample_rate, **settings)
    items, skipped = source.items()
    preparation.check(directory)
    with exclusively(directory) as waited:
        is_complete = (directory / "corpus.json").is_file()
        # The files of utterances in shards are gone, so that a repetition would begin from nothing.
        if is_complete and (waited or preparation.shard_size is not None):
            corpus = Corpus.open(directory)
            print(corpus)
            return corpus
        return _prepare(preparation, items, skipped, directory, num_jobs)


def _prepare(
    preparation: Preparation,
    items: list[CorpusItem],
    skipped: dict[str, str],
    directory: Path,
    num_jobs: int | None,
) -> Corpus:
    source = preparation.source
    maker = UtteranceMaker(preparation, directory)
    found = Findings()
    for item, outcome in _run(maker, items, num_jobs):
        if isinstance(outcome, str):
            skipped[item.id] = outcome
        else:
            found.add(outcome)
    # Names and reasons are printed to a terminal; escape sequences in untrusted names are made harmless.
    skipped = {printable(id_): printable(reason) for id_, reason in sorted(skipped.items())}
    if not found.num_frames:
        examples = "; ".join(list(dict.fromkeys(skipped.values()))[:3])
        raise UserError(f"no utterance of the corpus {source.name!r} could be used: {examples}")
    preparation.keep(directory)

    splits = split_ids(list(found.num_frames), preparation.seed, preparation.num_dev, preparation.num_test)
    records = finished_records(splits, found.estimated, preparation, directory, num_jobs)
    train = _write_splits(splits, records, preparation, directory)
    prosody = fitted(preparation.prosody, (one.prosody for one in train))
    frames = (np.load(one.frames, allow_pickle=False) for one in train)
    encoder = FeatureEncoder.fit(preparation.layout, frames)
    # As a voice will speak it: a plan that fails is found before a training.
    TextAnalysis(source.front_end, prosody, encoder).analyse(min((one.text for one in train), key=len))
    write_json(
        directory / "corpus.json",
        {
            "format_version": FORMAT_VERSION,
            "name": source.name,
            "sample_rate": preparation.sample_rate,
            "settings": preparation.settings(),
            "front_end": describe(source.front_end),
            "prosody": describe(prosody),
            "encoder": encoder.to_dict(),
            "splits": {split: len(ids) for split, ids in splits.items()},
            "duration_s": sum(found.num_frames.values()) * FRAME_S,
            "unknown_phones": found.unknown_phones,
            "notes": sorted(found.notes),
            "skipped": [{"id": id_, "reason": reason} for id_, reason in skipped.items()],
        },
    )
    corpus = Corpus.open(directory)
    if preparation.shard_size is not None:
        _remove_what_is_in_shards(splits, directory)
    for note in sorted(found.notes):
        print(note)
    if found.unknown_phones:
        print(f"phones without a name in the layout: {_share(found.unknown_phones, found.num_phones)}")
    if skipped:
        print(f"skipped {len(skipped)} of {len(skipped) + len(found.num_frames)} utterances:")
        for id_, reason in skipped.items():
            print(f"  {id_}: {reason}")
    print(corpus)
    return corpus


@dataclass
class Findings:
    """What is kept of all utterances while they are prepared; their records are on disk."""

    num_frames: dict[str, int] = field(default_factory=dict)  # by id
    estimated: dict[str, int] = field(default_factory=dict)  # those whose times of phones are estimates
    notes: set[str] = field(default_factory=set)
    unknown_phones: int = 0
    num_phones: int = 0

    def add(self, record: dict[str, Any]) -> None:
        self.num_frames[record["id"]] = record["num_frames"]
        if record["estimated"]:
            self.estimated[record["id"]] = record["num_frames"]
        self.notes.update(record["notes"])
        self.unknown_phones += record["unknown_phones"]
        phones = record["cut"]["supervisions"][0]["alignment"]["phone"]
        self.num_phones += sum(symbol != SILENCE for symbol, *_ in phones)


class _Trained(NamedTuple):
    """What prosody and encoder are fitted to: of one utterance of the training part."""

    text: str
    prosody: dict[str, Any]
    frames: Path


def _write_splits(
    splits: dict[str, list[str]], records: Iterator[dict], preparation: Preparation, directory: Path
) -> list[_Trained]:
    """Writes the cuts of each split, given the records in the order of the splits."""
    train = []
    for split, ids in splits.items():
        cuts = []
        with ExitStack() as stack:
            shards = None
            if split == SHARDED and preparation.shard_size is not None:
                shards = stack.enter_context(ShardWriter(directory, split, preparation.shard_size))
            for record in itertools.islice(records, len(ids)):
                cut = read_cut(copy.deepcopy(record["cut"]), directory)
                if split == "train":
                    train.append(_Trained(record["text"], record["prosody"], files_of(cut)[1]))
                if shards is None:
                    cuts.append(record["cut"])
                else:
                    shards.write(cut)
        if shards is None:
            write_cuts(directory / f"{split}.cuts.jsonl.gz", cuts)
    return train


def _share(number: int, total: int) -> str:
    return f"{number} of {total} ({100 * number / total:.1f} %)"


def _remove_what_is_in_shards(splits: dict[str, list[str]], directory: Path) -> None:
    """Removes the files of the utterances that are in shards and in no other split."""
    others = {id_ for split, ids in splits.items() if split != SHARDED for id_ in ids}
    for id_ in set(splits[SHARDED]) - others:
        for path in files_of(read_cut(read_record(directory, id_)["cut"], directory)):
            path.unlink(missing_ok=True)
        record_path(directory, id_).unlink(missing_ok=True)


def _run(maker: UtteranceMaker, items: list[CorpusItem], num_jobs: int | None) -> Iterator[tuple]:
    """Yields items with their records, or with the reasons for skipping them, in the order of the items."""
    return map_in_processes(
        maker,
        items,
        num_jobs=min(num_jobs or available_cores(), max(1, len(items) // 8)),
        title=f"preparing {maker.preparation.source.name}",
        unit="utterance",
        if_it_dies=_crash_reason,
        first_alone=True,  # pYIN is compiled at first use; compiling in several processes at once crashes
    )


def _crash_reason(item: CorpusItem) -> str:
    return f"the process that prepared {item.name or item.id} died, perhaps for lack of memory or by a bug"
