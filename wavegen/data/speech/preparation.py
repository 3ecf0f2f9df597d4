"""The settings of a corpus, and the check that a folder contains only one corpus."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wavegen.audio.pitch import FRAME_S, PitchTracker, PraatPitch
from wavegen.calls import build
from wavegen.data.speech.corpus import FORMAT_VERSION
from wavegen.data.speech.files import read_json, write_json
from wavegen.data.speech.sources.source import CorpusSource
from wavegen.errors import UserError
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.layout import FeatureLayout
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.prosody.prosody import Prosody
from wavegen.linguistics.prosody.register import RegisterProsody
from wavegen.untrusted.parts import check_part, describe
from wavegen.untrusted.targets import TARGET

SETTINGS = "settings.json"
_MOST_SHOWN = 3  # differences of two corpora
_LONGEST_SHOWN = 80  # characters of a value


@dataclass(frozen=True)
class Preparation:
    """All settings that determine a corpus.

    Args:
        source: of the utterances.
        sample_rate: of the corpus, a multiple of 200 Hz, so that 5 ms are a whole number of samples.
        pitch: pitch tracker.
        layout: of the features.
        prosody: fitted to the training split; :class:`RegisterProsody` with the same tracker by default.
        seed: of the split.
        num_dev, num_test: number of utterances in dev and test, each at most a third of all.
        shard_size: utterances in a shard of the training part, which is then streamed; by default it is not
            sharded.
        loudness_dbfs: root mean square level to which every utterance is scaled (with its peak kept below
            0.99); by default levels are unchanged.

    Raises:
        UserError: if the sample rate is unusable, or a part could not be stored in the corpus.
    """

    source: CorpusSource
    sample_rate: int = 16000
    pitch: PitchTracker = field(default_factory=PraatPitch)
    layout: FeatureLayout = field(default_factory=PhoneLayout)
    prosody: Prosody = None  # type: ignore[assignment]  # filled in below, by the pitch tracker
    seed: int = 0
    num_dev: int = 16
    num_test: int = 16
    loudness_dbfs: float | None = None
    shard_size: int | None = None

    def __post_init__(self) -> None:
        if self.prosody is None:
            object.__setattr__(self, "prosody", RegisterProsody(pitch=self.pitch))
        if self.sample_rate < 8000 or self.sample_rate % 200:
            raise UserError(
                f"the sample rate {self.sample_rate} Hz cannot be used: a 5 ms frame would have "
                f"{self.sample_rate * FRAME_S:g} samples, expected a whole number and at least 8000 Hz; "
                "choose for example 8000, 16000, 24000 or 48000"
            )
        if self.shard_size is not None and (not isinstance(self.shard_size, int) or self.shard_size < 1):
            raise UserError(
                f"corpus.shard_size must be a whole number of at least 1, or null, got {self.shard_size!r}"
            )
        check_part(self.source.front_end, FrontEnd, "front end")
        check_part(self.layout, FeatureLayout, "feature layout")
        check_part(self.pitch, PitchTracker, "pitch tracker")
        check_part(self.prosody, Prosody, "prosody")  # last, since it may hold the tracker

    def settings(self) -> dict[str, Any]:
        """A JSON-compatible dictionary that identifies the corpus."""
        return {
            "format_version": FORMAT_VERSION,
            "layout": self.layout.digest,
            "prosody": describe(self.prosody),
            "source": self.source.settings(),
            "sample_rate": self.sample_rate,
            "pitch": describe(self.pitch),
            "split": {"seed": self.seed, "num_dev": self.num_dev, "num_test": self.num_test},
            "loudness_dbfs": self.loudness_dbfs,
            "shard_size": self.shard_size,
        }

    def check(self, directory: Path) -> None:
        """Raises UserError if the folder contains a corpus prepared with other settings."""
        path = directory / SETTINGS
        if not path.exists():
            return
        differences = list(_differences(read_json(path), self.settings()))
        if differences:
            shown = "; another ".join(differences[:_MOST_SHOWN])
            more = f"; and {len(differences) - _MOST_SHOWN} more" if len(differences) > _MOST_SHOWN else ""
            raise UserError(
                f"{directory} contains a corpus prepared with another {shown}{more}; choose another "
                "corpus.directory or delete that folder"
            )

    def keep(self, directory: Path) -> None:
        """Writes the settings into the folder if they are not there yet, before its first record of an
        utterance: a folder without one belongs to no corpus.
        """
        path = directory / SETTINGS
        if not path.exists():
            write_json(path, self.settings())


def _differences(found: Any, wanted: Any, key: str = "") -> Iterator[str]:
    """Each dotted key whose value differs, with both values; where a class differs, its name alone."""
    if not (isinstance(found, Mapping) and isinstance(wanted, Mapping)):
        if found != wanted:
            yield f"{key}: got {_as_json(found)}, expected {_as_json(wanted)}"
        return
    names = [TARGET] if found.get(TARGET) != wanted.get(TARGET) else sorted({*found, *wanted})
    for name in names:
        yield from _differences(found.get(name), wanted.get(name), f"{key}.{name}" if key else name)


def _as_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def arguments_of(corpus_config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``prepare_corpus`` from the ``corpus`` group of a recipe's configuration.

    The group contains those arguments by name, with objects as ``_target_`` nodes or already instantiated.
    It also contains ``name``, ``root``, ``title`` and ``front_end``, which only interpolations use.
    """
    # Instantiate each node separately. Instantiating the whole group would convert its objects to a config.
    return {
        key: build(value, _convert_="all") if isinstance(value, Mapping | DictConfig) else value
        for key, value in corpus_config.items()
        if key not in ("name", "root", "title", "front_end")
    }
