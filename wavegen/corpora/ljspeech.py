"""Folders in LJSpeech layout: ``metadata.csv`` (``id|text|normalised text``) and ``wavs/ID.wav`` or FLAC."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from wavegen.audio.waveform import read_waveform
from wavegen.corpora.source import CorpusItem, Rendition, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.alignment import align_by_dtw
from wavegen.linguistics.espeak import EspeakVoice

_EXTENSIONS = (".wav", ".flac", ".WAV", ".FLAC")
_SILENT_BELOW = 2.0**-10  # peak; −60 dBFS
_MIXED_DOWN = "recordings with several channels were mixed down to one"


@dataclass(frozen=True)
class LjspeechCorpus:
    """Recordings with their text; phone timings by dynamic time warping from espeak's rendition of it.

    Args:
        root: the folder.
        voice: whose rendition is warped, and whose pronunciation is assumed.
    """

    root: str | None = None
    voice: EspeakVoice = field(default_factory=EspeakVoice)
    name: str = "ljspeech"

    @cached_property
    def folder(self) -> Path:
        """Raises UserError where there is no such folder or it has another layout."""
        if self.root is None:
            raise UserError("corpus=ljspeech needs a folder in LJSpeech layout: give corpus.root=DIR")
        folder = Path(self.root).expanduser()
        if not folder.is_dir():
            raise UserError(
                f"the corpus root {folder} is not a folder; corpus.root must name one in LJSpeech layout"
            )
        for name, is_there in (("metadata.csv", Path.is_file), ("wavs", Path.is_dir)):
            if not is_there(folder / name):
                raise UserError(f"the corpus root {folder} has no {name}, so it is not in LJSpeech layout")
        return folder

    def settings(self) -> dict:
        if self.root is None:
            raise UserError("corpus=ljspeech needs a folder in LJSpeech layout: give corpus.root=DIR")
        root = str(Path(self.root).expanduser().resolve())
        return {"name": self.name, "root": root, "voice": asdict(self.voice)}

    def items(self) -> tuple[list[CorpusItem], dict[str, str]]:
        metadata = self.folder / "metadata.csv"
        try:
            lines = metadata.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {metadata} as UTF-8 text: {error}") from error
        items, problems = {}, {}
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            id_, *texts = (part.strip() for part in line.split("|"))
            text = next((text for text in reversed(texts[:2]) if text), "")
            if not id_ or Path(id_).name != id_ or id_ in (".", "..") or "\\" in id_ or "\0" in id_:
                problems[f"line {number}"] = (
                    f"{metadata}, line {number}: {id_!r} cannot be the name of a recording"
                )
            elif id_ in items or id_ in problems:
                problems[f"line {number}"] = f"{metadata}, line {number}: {id_!r} occurs a second time"
            elif not text:
                problems[id_] = f"{metadata}, line {number}: there is no text"
            elif (path := self._find(id_)) is None:
                problems[id_] = f"the recording {self.folder / 'wavs' / id_}.wav (or .flac) is missing"
            else:
                status = path.stat()
                items[id_] = CorpusItem(id_, text, stamp=f"{path.name} {status.st_size} {status.st_mtime_ns}")
        if not items and not problems:
            raise UserError(
                f"{metadata} lists no recording; expected lines of the form id|text|normalised text"
            )
        return list(items.values()), problems

    def render(self, item: CorpusItem) -> Rendition:
        path = self._find(item.id)
        if path is None:
            raise SkippedUtterance(f"the recording {item.id} is missing")
        if path.stat().st_size == 0:
            raise SkippedUtterance(f"the recording {path} is empty")
        try:
            channels, sample_rate = read_waveform(path)
        except UserError as error:
            raise SkippedUtterance(str(error)) from error
        if channels.shape[-1] == 0:
            raise SkippedUtterance(f"the recording {path} is empty")
        waveform = channels.mean(axis=0, dtype=np.float64).astype(np.float32)
        if np.abs(waveform - np.median(waveform)).max() < _SILENT_BELOW:
            raise SkippedUtterance(f"the recording {path} is silent: its peak is below -60 dBFS")
        try:
            spoken = self.voice.speak(item.text)
            phones = align_by_dtw(spoken, waveform, sample_rate)
        except UserError as error:
            raise SkippedUtterance(f"{path}: {error}") from error
        return Rendition(waveform, sample_rate, phones, spoken, (_MIXED_DOWN,) if len(channels) > 1 else ())

    def _find(self, id_: str) -> Path | None:
        candidates = (self.folder / "wavs" / f"{id_}{extension}" for extension in _EXTENSIONS)
        return next((path for path in candidates if path.is_file()), None)
