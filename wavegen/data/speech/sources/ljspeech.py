"""Folders in LJSpeech layout: ``metadata.csv`` (``id|text|normalised text``) and ``wavs/ID.wav`` or FLAC."""

import codecs
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from wavegen.audio.clipping import clipped_share
from wavegen.audio.sound_files import LONGEST_S, read_mixed_down
from wavegen.data.speech.names import file_names
from wavegen.data.speech.sources.source import CorpusItem, Rendition, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.alignment import align_by_dtw
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.untrusted.parts import describe

_EXTENSIONS = (".wav", ".flac", ".WAV", ".FLAC")
_SILENT_BELOW = 2.0**-10  # peak; −60 dBFS
_MOST_CHARACTERS_A_SECOND = 50  # speech never exceeds 30
_LONGEST_NAME = 255  # characters; the limit of file systems
_MIXED_DOWN = "recordings with several channels were mixed down to one"
_CLIPPED = "recordings with clipped samples: the voice learns the distortion"
_MOST_CLIPPED, _NOTED_CLIPPED = 0.05, 0.001  # of the samples
_RENAMED = "recordings whose ids are not valid file names have other ids in the corpus"


@dataclass(frozen=True)
class LjspeechCorpus:
    """Recordings with text; estimated timings by dynamic time warping from a front end's synthetic speech.

    Args:
        front_end: provides the synthetic speech and the pronunciation.
        root: the folder.
        max_duration_s: longer recordings are skipped. It limits the memory for one file, whatever its header
            claims.
    """

    front_end: FrontEnd
    root: str | None = None
    max_duration_s: float = 600.0
    name: str = "ljspeech"

    @cached_property
    def folder(self) -> Path:
        """Raises UserError if the folder does not exist or has another layout."""
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
        if not 0 < self.max_duration_s <= LONGEST_S:
            raise UserError(
                f"max_duration_s is {self.max_duration_s}, expected more than 0 and at most {LONGEST_S:g} s "
                "as the limit of a recording's duration"
            )
        root = str(Path(self.root).expanduser().resolve())
        return {
            "name": self.name,
            "root": root,
            "front_end": describe(self.front_end),
            "max_duration_s": self.max_duration_s,
        }

    def items(self) -> tuple[list[CorpusItem], dict[str, str]]:
        texts, problems = self._texts()
        items, ids = [], file_names(texts)
        for name, text in texts.items():
            try:
                path = self._recording(name)
            except SkippedUtterance as reason:
                problems[name] = str(reason)
                continue
            status = path.stat()
            stamp = f"{path.name} {status.st_size} {status.st_mtime_ns}"
            items.append(CorpusItem(ids[name], text, stamp=stamp, name=name))
        return items, problems

    def render(self, item: CorpusItem) -> Rendition:
        path = self._recording(item.name)
        if path.stat().st_size == 0:
            raise SkippedUtterance(f"the recording {path} is empty")
        try:
            waveform, sample_rate, num_channels = read_mixed_down(path, longest_s=self.max_duration_s)
        except UserError as error:
            raise SkippedUtterance(str(error)) from error
        if len(waveform) == 0:
            raise SkippedUtterance(f"the recording {path} is empty")
        if np.abs(waveform - np.median(waveform)).max() < _SILENT_BELOW:
            raise SkippedUtterance(f"the recording {path} is silent: its peak is below -60 dBFS")
        clipped = clipped_share(waveform)
        if clipped > _MOST_CLIPPED:
            raise SkippedUtterance(
                f"the recording {path} is clipped: {100 * clipped:.0f} % of its samples are at its "
                "largest level"
            )
        try:
            spoken = self.front_end.read(item.text)
            phones = align_by_dtw(spoken, waveform, sample_rate)
        except UserError as error:
            raise SkippedUtterance(f"{path}: {error}") from error
        notes = (
            [_CLIPPED] * (clipped > _NOTED_CLIPPED)
            + [_MIXED_DOWN] * (num_channels > 1)
            + [_RENAMED] * (item.id != item.name)
        )
        return Rendition(waveform, sample_rate, phones, spoken, tuple(notes), estimated=True)

    def _texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """The texts of ``metadata.csv``, and the reasons for skipping lines, both by id."""
        path = self.folder / "metadata.csv"
        try:
            lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        texts, problems, undecodable = {}, {}, None
        for number, line in enumerate(lines, start=1):
            place = f"{path}, line {number}"
            try:
                name, *rest = (part.strip() for part in line.decode("utf-8").split("|"))
            except UnicodeDecodeError as error:
                undecodable = problems[f"line {number}"] = f"{place} is not UTF-8 text: {error.reason}"
                continue
            text = next((text for text in reversed(rest[:2]) if text), "")
            if not line.strip():
                continue
            if problem := _invalid_name_reason(name):
                problems[f"line {number}"] = f"{place}: {problem}"
            elif name in texts or name in problems:
                problems[f"line {number}"] = f"{place}: the id {name!r} is a duplicate"
            elif not text:
                problems[name] = f"{place}: the text is missing"
            elif len(text) > self.max_duration_s * _MOST_CHARACTERS_A_SECOND:
                problems[name] = (
                    f"{place}: a text of {len(text)} characters is too long for a recording of at "
                    f"most {self.max_duration_s:g} s"
                )
            else:
                texts[name] = text
        if not texts and undecodable:
            raise UserError(undecodable)
        if not texts and not problems:
            raise UserError(f"{path} lists no recordings, expected lines of the form id|text|normalised text")
        return texts, problems

    def _recording(self, name: str) -> Path:
        """Raises SkippedUtterance if there is no regular file with that name."""
        reason = f"the recording {self.folder / 'wavs' / name}.wav (or .flac) is missing"
        for extension in _EXTENSIONS:
            path = self.folder / "wavs" / f"{name}{extension}"
            try:
                if path.is_file():
                    return path
                if path.exists():
                    reason = f"{path} is a folder, a device or a pipe, expected a recording"
            except OSError as error:  # the name is too long, or access to the file or folder is denied
                reason = f"the recording {path} cannot be read: {error.strerror}"
        raise SkippedUtterance(reason)


def _invalid_name_reason(name: str) -> str | None:
    """The reason why ``name`` cannot be a file name, or None."""
    if len(name) > _LONGEST_NAME:
        return f"an id of {len(name)} characters cannot be the name of a recording"
    if not name or Path(name).name != name or name in (".", "..") or "\\" in name or "\0" in name:
        return f"{name!r} cannot be the name of a recording"
    return None
