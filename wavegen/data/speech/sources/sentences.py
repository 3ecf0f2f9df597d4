"""The embedded corpus: espeak speaks sentences that were written for this project."""

import hashlib
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path

from wavegen.data.speech.sources.source import CorpusItem, Rendition, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.voice import EspeakVoice


@dataclass(frozen=True)
class EspeakCorpus:
    """Sentences spoken on the spot, with the exact phone timings of espeak's own events.

    Args:
        voice: who speaks.
        sentences: a text file with one sentence a line; by default the one inside the package, which covers
            every phone of the ``en-us`` voice at least 20 times.
    """

    voice: EspeakVoice = field(default_factory=EspeakVoice)
    sentences: str | None = None
    name: str = "espeak"

    def settings(self) -> dict:
        text = "\n".join(self._read_sentences())
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return {"name": self.name, "voice": asdict(self.voice), "sentences": digest}

    def items(self) -> tuple[list[CorpusItem], dict[str, str]]:
        sentences = self._read_sentences()
        if not sentences:
            raise UserError(f"the file of sentences {self.sentences} is empty")
        return [CorpusItem(f"{self.name}-{i:04d}", text) for i, text in enumerate(sentences, start=1)], {}

    def render(self, item: CorpusItem) -> Rendition:
        try:
            spoken = self.voice.speak(item.text)
        except UserError as error:
            raise SkippedUtterance(str(error)) from error
        return Rendition(spoken.waveform, spoken.sample_rate, spoken.phones, spoken)

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
                raise UserError(f"cannot read the file of sentences {self.sentences}: {error}") from error
        return [line.strip() for line in text.splitlines() if line.strip()]
