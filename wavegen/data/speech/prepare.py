"""From a source of utterances to a corpus on disk (``docs/architecture.md``, "Corpus on disk")."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from wavegen.audio.pitch import FRAME_S, PitchTracker, PraatPitch, describe_tracker, pitch_tracker
from wavegen.calls import build
from wavegen.data.speech.corpus import FORMAT_VERSION, SPLITS, Corpus
from wavegen.data.speech.cuts import write_cuts
from wavegen.data.speech.files import read_json, write_json
from wavegen.data.speech.names import printable
from wavegen.data.speech.sources.source import CorpusItem, CorpusSource
from wavegen.data.speech.utterance_maker import UtteranceMaker, moments
from wavegen.errors import UserError
from wavegen.linguistics.features import FeatureEncoder, FeatureLayout
from wavegen.linguistics.phones import TimedPhone, mean_phone_duration_s
from wavegen.linguistics.register import VoiceRegister
from wavegen.workers import available_cores, map_in_processes


def ensure_prepared(corpus_config: Mapping) -> Corpus:
    """The corpus that ``corpus_config`` describes, prepared now unless it is there already.

    Args:
        corpus_config: the ``corpus`` group of a recipe's configuration, see :func:`preparation`.
    """
    arguments = preparation(corpus_config)
    directory = Path(arguments["directory"])
    if not (directory / "corpus.json").is_file():
        return prepare_corpus(**arguments)
    wanted = {key: value for key, value in arguments.items() if key not in ("directory", "num_jobs")}
    _check_fingerprint(directory, _fingerprint(**wanted))
    return Corpus.open(directory)


def preparation(corpus_config: Mapping) -> dict:
    """Arguments of :func:`prepare_corpus` from the ``corpus`` group of a recipe's configuration.

    The group holds those arguments by name, its objects as ``_target_`` nodes or already instantiated, and
    besides them ``name`` and ``root``, which only its own interpolations read.
    """
    # Each node by itself: instantiated as a whole, the group would be a config again, and its objects with
    # it.
    return {
        key: build(value) if isinstance(value, Mapping | DictConfig) else value
        for key, value in corpus_config.items()
        if key not in ("name", "root")
    }


def prepare_corpus(
    source: CorpusSource,
    directory: str | Path,
    sample_rate: int = 16000,
    pitch: PitchTracker | None = None,
    seed: int = 0,
    num_dev: int = 16,
    num_test: int = 16,
    num_jobs: int | None = None,
    loudness_dbfs: float | None = None,
) -> Corpus:
    """Prepare every utterance of ``source`` and write the corpus to ``directory``.

    Picks up where it was stopped: an utterance that is there already is not made again, unless its text or
    recording changed.

    Args:
        source: of the utterances.
        directory: of the corpus; made when missing.
        sample_rate: of the corpus, a multiple of 200 Hz, so that 5 ms are a whole number of samples.
        pitch: tracker, :class:`PraatPitch` by default.
        seed: of the split.
        num_dev, num_test: how many utterances go there, at most a third of all each.
        num_jobs: processes; by default as many as there are processors.
        loudness_dbfs: bring every utterance to this root mean square (its peak kept below 0.99); by default
            levels stay as they are.

    Raises:
        UserError: an unusable sample rate or pitch tracker, no usable utterance, a directory of other
            settings or one that cannot be written to.
    """
    directory = Path(directory)
    # Through its description, which is checked and which the corpus brings back.
    pitch = pitch_tracker(describe_tracker(PraatPitch() if pitch is None else pitch))
    layout = FeatureLayout()
    _check_sample_rate(sample_rate)
    items, skipped = source.items()
    fingerprint = _fingerprint(source, sample_rate, pitch, seed, num_dev, num_test, loudness_dbfs)
    _check_fingerprint(directory, fingerprint)
    write_json(directory / "settings.json", fingerprint)

    maker = UtteranceMaker(source, directory, sample_rate, pitch, layout, loudness_dbfs)
    records = {}
    for item, outcome in _run(maker, items, num_jobs):
        if isinstance(outcome, str):
            skipped[item.id] = outcome
        else:
            records[item.id] = outcome
    # Names and reasons that go to a terminal: whoever chose the names may have put escape sequences there.
    skipped = {printable(id_): printable(reason) for id_, reason in sorted(skipped.items())}
    if not records:
        examples = "; ".join(list(skipped.values())[:3])
        raise UserError(f"no utterance of the corpus {source.name!r} could be used: {examples}")

    splits = split_ids(list(records), seed, num_dev, num_test)
    frames = {
        id_: np.load(directory / "frames" / f"{id_}.npy", allow_pickle=False) for id_ in splits["train"]
    }
    encoder = FeatureEncoder.fit(layout, frames.values())
    register = _register(layout, frames, [records[id_] for id_ in splits["train"]])
    for split, ids in splits.items():
        write_cuts(directory / f"{split}.cuts.jsonl.gz", [records[id_] for id_ in ids], sample_rate, layout)
    notes = sorted({note for record in records.values() for note in record["notes"]})
    write_json(
        directory / "corpus.json",
        {
            "format_version": FORMAT_VERSION,
            "name": source.name,
            "sample_rate": sample_rate,
            "settings": fingerprint,
            "voice": asdict(source.voice),
            "encoder": encoder.to_dict(),
            "register": register.to_dict(),
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
    if skipped:
        print(f"skipped {len(skipped)} of {len(skipped) + len(records)} utterances:")
        for id_, reason in skipped.items():
            print(f"  {id_}: {reason}")
    print(corpus)
    return corpus


def split_ids(ids: list[str], seed: int, num_dev: int, num_test: int) -> dict[str, list[str]]:
    """Ids of train, dev and test, drawn with ``seed``, each in sorted order.

    Dev and test take at most a third each. One utterance alone serves all three, of two the second serves
    dev and test.
    """
    shuffled = sorted(ids)
    random.Random(seed).shuffle(shuffled)
    if len(shuffled) < 3:
        return {"train": shuffled[:1], "dev": shuffled[-1:], "test": shuffled[-1:]}
    most = len(shuffled) // 3
    num_test, num_dev = (min(max(1, number), most) for number in (num_test, num_dev))
    chosen = {
        "train": shuffled[num_test + num_dev :],
        "dev": shuffled[num_test : num_test + num_dev],
        "test": shuffled[:num_test],
    }
    return {split: sorted(chosen[split]) for split in SPLITS}


def _check_sample_rate(sample_rate: int) -> None:
    if sample_rate < 8000 or sample_rate % 200:
        raise UserError(
            f"the sample rate {sample_rate} Hz cannot be used: a frame of 5 ms would be "
            f"{sample_rate * FRAME_S:g} samples, and it must be a whole number, at 8000 Hz or more; choose "
            "for example 8000, 16000, 24000 or 48000"
        )


def _fingerprint(
    source: CorpusSource,
    sample_rate: int = 16000,
    pitch: PitchTracker | None = None,
    seed: int = 0,
    num_dev: int = 16,
    num_test: int = 16,
    loudness_dbfs: float | None = None,
) -> dict:
    pitch = PraatPitch() if pitch is None else pitch
    return {
        "format_version": FORMAT_VERSION,
        "layout": FeatureLayout().digest,
        "source": source.settings(),
        "sample_rate": sample_rate,
        "pitch": describe_tracker(pitch),
        "split": {"seed": seed, "num_dev": num_dev, "num_test": num_test},
        "loudness_dbfs": loudness_dbfs,
    }


def _check_fingerprint(directory: Path, wanted: dict) -> None:
    path = directory / "settings.json"
    if not path.exists():
        return
    found = read_json(path)
    different = [key for key in sorted({*found, *wanted}) if found.get(key) != wanted.get(key)]
    if different:
        key = different[0]
        raise UserError(
            f"{directory} holds a corpus prepared with another {key}: {json.dumps(found.get(key))} there, "
            f"{json.dumps(wanted.get(key))} wanted; choose another corpus.directory or delete that one"
        )


def _run(maker: UtteranceMaker, items: list[CorpusItem], num_jobs: int | None) -> Iterator[tuple]:
    """Items with their records, or the reasons to leave them out, in the order of the items."""
    return map_in_processes(
        maker,
        items,
        num_jobs=min(num_jobs or available_cores(), max(1, len(items) // 8)),
        title=f"preparing {maker.source.name}",
        unit="utterance",
        if_it_dies=_skip_what_kills,
        first_alone=True,  # pYIN is compiled at first use, and crashes processes that compile it at a time
    )


def _skip_what_kills(item: CorpusItem) -> str:
    return f"the process that prepared {item.name or item.id} died: for want of memory perhaps, or a defect"


def _register(layout: FeatureLayout, frames: Mapping[str, np.ndarray], records: list[dict]) -> VoiceRegister:
    """Register and rate of the training split, and of what espeak makes of the same text."""
    log_f0, voiced = layout.column("log_f0"), layout.column("voiced")
    mean, std = _mean_std(
        [moments(f[f[:, voiced] > 0.5, log_f0].astype(np.float64)) for f in frames.values()]
    )
    spoken_mean, spoken_std = _mean_std([record["spoken"]["log_f0"] for record in records])
    durations = [mean_phone_duration_s([TimedPhone(*phone) for phone in r["phones"]]) for r in records]
    spoken_durations = [record["spoken"]["phone_duration_s"] for record in records]
    return VoiceRegister(
        mean, std, float(np.mean(durations)), spoken_mean, spoken_std, float(np.mean(spoken_durations))
    )


def _mean_std(of: list[list[float]]) -> tuple[float, float]:
    count, total, squares = np.sum(of, axis=0)
    if count == 0:  # nothing voiced: a whispering voice
        return float(np.log(120.0)), 0.1
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 1e-6)))
