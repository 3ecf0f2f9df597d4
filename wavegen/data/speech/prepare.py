"""Prepares a corpus on disk from a source of utterances (``docs/architecture.md``, "Corpus on disk")."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wavegen.audio.pitch import FRAME_S
from wavegen.data.speech.corpus import FORMAT_VERSION, Corpus
from wavegen.data.speech.cuts import files_of, read_cut, write_cuts
from wavegen.data.speech.files import write_json
from wavegen.data.speech.names import printable
from wavegen.data.speech.preparation import Preparation, arguments_of
from wavegen.data.speech.retiming import retimed
from wavegen.data.speech.sources.source import CorpusItem, CorpusSource
from wavegen.data.speech.splits import split_ids
from wavegen.data.speech.utterance_maker import UtteranceMaker
from wavegen.errors import UserError
from wavegen.linguistics.analysis import TextAnalysis
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.layout import FeatureLayout
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

    maker = UtteranceMaker(preparation, directory)
    records = {}
    for item, outcome in _run(maker, items, num_jobs):
        if isinstance(outcome, str):
            skipped[item.id] = outcome
        else:
            records[item.id] = outcome
    # Names and reasons are printed to a terminal; escape sequences in untrusted names are made harmless.
    skipped = {printable(id_): printable(reason) for id_, reason in sorted(skipped.items())}
    if not records:
        examples = "; ".join(list(dict.fromkeys(skipped.values()))[:3])
        raise UserError(f"no utterance of the corpus {source.name!r} could be used: {examples}")
    preparation.keep(directory)

    splits = split_ids(list(records), preparation.seed, preparation.num_dev, preparation.num_test)
    records = retimed(records, splits["train"], preparation, directory, num_jobs)
    for split, ids in splits.items():
        write_cuts(directory / f"{split}.cuts.jsonl.gz", [records[id_]["cut"] for id_ in ids])
    training = [records[id_] for id_ in splits["train"]]
    prosody = fitted(preparation.prosody, (record["prosody"] for record in training))
    encoder = _fit_encoder(preparation.layout, directory, training)
    # As a voice will speak it: a plan that fails is found before a training.
    TextAnalysis(source.front_end, prosody, encoder).analyse(min((r["text"] for r in training), key=len))
    notes = sorted({note for record in records.values() for note in record["notes"]})
    write_json(
        directory / "corpus.json",
        {
            "format_version": FORMAT_VERSION,
            "name": source.name,
            "sample_rate": sample_rate,
            "settings": preparation.settings(),
            "front_end": describe(source.front_end),
            "prosody": describe(prosody),
            "encoder": encoder.to_dict(),
            "splits": {split: len(ids) for split, ids in splits.items()},
            "duration_s": sum(record["num_frames"] for record in records.values()) * FRAME_S,
            "unknown_phones": sum(record["unknown_phones"] for record in records.values()),
            "notes": notes,
            "skipped": [{"id": id_, "reason": reason} for id_, reason in skipped.items()],
        },
    )
    corpus = Corpus.open(directory)
    for note in notes:
        print(note)
    if unknown := _unknown_phones(list(records.values())):
        print(unknown)
    if skipped:
        print(f"skipped {len(skipped)} of {len(skipped) + len(records)} utterances:")
        for id_, reason in skipped.items():
            print(f"  {id_}: {reason}")
    print(corpus)
    return corpus


def _fit_encoder(layout: FeatureLayout, directory: Path, records: list[dict[str, Any]]) -> FeatureEncoder:
    paths = [files_of(read_cut(record["cut"], directory))[1] for record in records]
    return FeatureEncoder.fit(layout, [np.load(path, allow_pickle=False) for path in paths])


def _unknown_phones(records: list[dict[str, Any]]) -> str | None:
    """How many phones the layout has no name for, in one line; None if it has one for each."""
    number = sum(record["unknown_phones"] for record in records)
    alignments = [record["cut"]["supervisions"][0]["alignment"]["phone"] for record in records]
    total = sum(symbol != SILENCE for alignment in alignments for symbol, *_ in alignment)
    if not number:
        return None
    return f"phones without a name in the layout: {number} of {total} ({100 * number / total:.1f} %)"


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
