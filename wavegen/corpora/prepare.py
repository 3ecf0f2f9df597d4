"""From a source of utterances to a corpus on disk (``docs/architecture.md``, "Corpus on disk")."""

import gzip
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.array import Array, TemporalArray
from lhotse.audio import AudioSource
from lhotse.supervision import AlignmentItem
from omegaconf import DictConfig

from wavegen.audio.pitch import FRAME_S, PitchTracker, PraatPitch, describe_tracker, pitch_tracker
from wavegen.audio.waveform import resample, to_grid, write_waveform
from wavegen.calls import build
from wavegen.corpora.corpus import FORMAT_VERSION, SPLITS, Corpus
from wavegen.corpora.files import read_json, write_array, write_json
from wavegen.corpora.source import CorpusItem, CorpusSource, SkippedUtterance
from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.linguistics.features import FeatureEncoder, FeatureLayout, compact_frames
from wavegen.linguistics.phones import TimedPhone, mean_phone_duration_s
from wavegen.linguistics.register import VoiceRegister
from wavegen.workers import available_cores, map_in_processes

_LOUDEST_PEAK = 0.99


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

    maker = _UtteranceMaker(source, directory, sample_rate, pitch, layout, loudness_dbfs)
    records = {}
    for item, outcome in _run(maker, items, num_jobs, title=f"preparing {source.name}"):
        if isinstance(outcome, str):
            skipped[item.id] = outcome
        else:
            records[item.id] = outcome
    skipped = dict(sorted(skipped.items()))
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
        _write_cuts(directory / f"{split}.cuts.jsonl.gz", [records[id_] for id_ in ids], sample_rate, layout)
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


@dataclass(frozen=True)
class _UtteranceMaker:
    """Makes the files of one utterance, in whichever process."""

    source: CorpusSource
    directory: Path
    sample_rate: int
    pitch: PitchTracker
    layout: FeatureLayout
    loudness_dbfs: float | None

    def __call__(self, item: CorpusItem) -> dict | str:
        """The record of ``item``, or the reason to leave it out."""
        done = self._done(item)
        if done is not None:
            return done
        try:
            return self._make(item)
        except SkippedUtterance as reason:
            return str(reason)

    def _done(self, item: CorpusItem) -> dict | None:
        paths = [self.directory / "utterances" / f"{item.id}.json", *self._paths(item)]
        if not all(path.is_file() for path in paths):
            return None
        try:
            record = read_json(paths[0])
        except UserError:
            return None
        return record if (record.get("text"), record.get("stamp")) == (item.text, item.stamp) else None

    def _paths(self, item: CorpusItem) -> tuple[Path, Path]:
        return self.directory / "audio" / f"{item.id}.wav", self.directory / "frames" / f"{item.id}.npy"

    def _make(self, item: CorpusItem) -> dict:
        rendition = self.source.render(item)
        waveform = resample(rendition.waveform, rendition.sample_rate, self.sample_rate)
        if self.loudness_dbfs is not None:
            gain = 10 ** (self.loudness_dbfs / 20) / max(float(np.sqrt(np.mean(np.square(waveform)))), 1e-9)
            waveform = waveform * min(gain, _LOUDEST_PEAK / max(float(np.abs(waveform).max()), 1e-9))
        hop_samples = hop(self.sample_rate)
        num_frames = len(waveform) // hop_samples
        if num_frames < len(rendition.phones):
            raise SkippedUtterance(
                f"{num_frames} frames of 5 ms are too few for {len(rendition.phones)} phones"
            )
        waveform = np.clip(to_grid(waveform[: num_frames * hop_samples]), -1, 1 - 2.0**-15)

        track = self.pitch(waveform, self.sample_rate, num_frames)
        frames = compact_frames(rendition.phones, num_frames, self.layout, track)
        spoken = rendition.spoken
        spoken_track = track
        if spoken.waveform is not rendition.waveform:
            spoken_frames = int(spoken.duration_s / FRAME_S)
            spoken_track = self.pitch(spoken.waveform, spoken.sample_rate, spoken_frames)

        audio_path, frames_path = self._paths(item)
        write_waveform(audio_path, waveform, self.sample_rate)
        write_array(frames_path, frames)
        record = {
            "id": item.id,
            "text": item.text,
            "stamp": item.stamp,
            "num_frames": num_frames,
            "notes": list(rendition.notes),
            "unknown_phones": sum(self.layout.phone_index(phone.phone) == 1 for phone in rendition.phones),
            "phones": [list(asdict(phone).values()) for phone in rendition.phones],
            "spoken": {
                "log_f0": _moments(np.log(spoken_track.f0_hz[spoken_track.voiced > 0.5])),
                "phone_duration_s": mean_phone_duration_s(spoken.phones),
            },
        }
        # Last of all: where this file is, the others are complete.
        write_json(self.directory / "utterances" / f"{item.id}.json", record)
        return record


def hop(sample_rate: int) -> int:
    """Samples in a frame of 5 ms."""
    return sample_rate // 200


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


def _run(
    maker: _UtteranceMaker, items: list[CorpusItem], num_jobs: int | None, title: str
) -> Iterator[tuple[CorpusItem, dict | str]]:
    """Outcomes in the order of the items, from several processes, under a progress bar."""
    num_jobs = min(num_jobs or available_cores(), max(1, len(items) // 8))
    if num_jobs > 1:
        # The first one here: what is compiled at first use (pYIN) is then compiled and kept once. Processes
        # that did so at a time have crashed on what the other had kept. The pool finds it done.
        maker(items[0])
    yield from map_in_processes(maker, items, num_jobs=num_jobs, title=title, unit="utterance", chunksize=4)


def _moments(values: np.ndarray) -> list[float]:
    """Count, sum and sum of squares."""
    return [float(len(values)), float(values.sum()), float(np.square(values).sum())]


def _register(layout: FeatureLayout, frames: Mapping[str, np.ndarray], records: list[dict]) -> VoiceRegister:
    """Register and rate of the training split, and of what espeak makes of the same text."""
    log_f0, voiced = layout.column("log_f0"), layout.column("voiced")
    mean, std = _mean_std(
        [_moments(f[f[:, voiced] > 0.5, log_f0].astype(np.float64)) for f in frames.values()]
    )
    spoken_mean, spoken_std = _mean_std([record["spoken"]["log_f0"] for record in records])
    durations = [mean_phone_duration_s([TimedPhone(*phone) for phone in r["phones"]]) for r in records]
    spoken_durations = [record["spoken"]["phone_duration_s"] for record in records]
    return VoiceRegister(
        mean, std, float(np.mean(durations)), spoken_mean, spoken_std, float(np.mean(spoken_durations))
    )


def _mean_std(moments: list[list[float]]) -> tuple[float, float]:
    count, total, squares = np.sum(moments, axis=0)
    if count == 0:  # nothing voiced: a whispering voice
        return float(np.log(120.0)), 0.1
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 1e-6)))


def _write_cuts(path: Path, records: list[dict], sample_rate: int, layout: FeatureLayout) -> None:
    """Lhotse cuts whose paths are relative to the corpus, so that it can be moved."""
    lines = []
    for record in records:
        id_, num_frames = record["id"], record["num_frames"]
        num_samples = num_frames * hop(sample_rate)
        duration_s = num_samples / sample_rate
        phones = [TimedPhone(*phone) for phone in record["phones"]]
        alignment = [AlignmentItem(p.phone, round(p.start_s, 6), round(p.duration_s, 6)) for p in phones]
        audio = AudioSource(type="file", channels=[0], source=f"audio/{id_}.wav")
        frames = Array(
            "numpy_files",
            storage_path="frames",
            storage_key=f"{id_}.npy",
            shape=[num_frames, len(layout.columns)],
        )
        cut = MonoCut(
            id=id_,
            start=0.0,
            duration=duration_s,
            channel=0,
            recording=Recording(id_, [audio], sample_rate, num_samples, duration_s),
            supervisions=[
                SupervisionSegment(
                    id_, id_, 0.0, duration_s, text=record["text"], alignment={"phone": alignment}
                )
            ],
            custom={"frames": TemporalArray(frames, temporal_dim=0, frame_shift=FRAME_S, start=0.0)},
        )
        lines.append(json.dumps(cut.to_dict(), ensure_ascii=False))
    write_bytes(path, gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
