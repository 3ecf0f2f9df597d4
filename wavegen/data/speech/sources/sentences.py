"""The embedded corpus: sentences written for this project, spoken by a front end."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from wavegen.data.speech.sources.source import CorpusItem, Rendition, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.untrusted.parts import describe


@dataclass(frozen=True)
class SpokenSentences:
    """Synthetic speech of sentences, with the front end's exact phone timings.

    Args:
        front_end: the speaker.
        sentences: a text file with one sentence per line; by default the file in the package, which covers
            every phone of American English at least 20 times.
        name: of the corpus and the prefix of its ids.
    """

    front_end: FrontEnd
    sentences: str | None = None
    name: str = "sentences"

    def settings(self) -> dict:
        text = "\n".join(self._read_sentences())
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return {"name": self.name, "front_end": describe(self.front_end), "sentences": digest}

    def items(self) -> tuple[list[CorpusItem], dict[str, str]]:
        sentences = self._read_sentences()
        if not sentences:
            raise UserError(f"the sentence file {self.sentences} is empty, expected one sentence per line")
        return [CorpusItem(f"{self.name}-{i:04d}", text) for i, text in enumerate(sentences, start=1)], {}

    def render(self, item: CorpusItem) -> Rendition:
        try:
            spoken = self.front_end.read(item.text)
        except UserError as error:
            raise SkippedUtterance(str(error)) from error
        waveform, sample_rate = spoken.require_sound("a corpus of spoken sentences")
        return Rendition(waveform, sample_rate, list(spoken.phones))

    def _read_sentences(self) -> list[str]:
        if self.sentences is None:
            text = (
                resources.files("wavegen.data.speech.sources")
                .joinpath("sentences.txt")
                .read_text(encoding="utf-8")
            )
        else:
            try:
                text = Path(self.sentences).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"cannot read the sentence file {self.sentences}: {error}") from error
        return [line.strip() for line in text.splitlines() if line.strip()]
