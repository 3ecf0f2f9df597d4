"""What a model of speech is told beside the waveform: its schema, and the operations on it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor

from wavegen.errors import UserError

FRAMES = "frames"
SCHEMA: dict[str, tuple[str, ...]] = {
    "features": ("features", FRAMES),
    "cycles": (FRAMES,),
    "voiced": (FRAMES,),
    "speaker": (),
}
"""The axes of each entry, without the batch: per frame where the last one is ``frames``, else constant."""


class SpeechContext(Mapping[str, Tensor]):
    """The conditioning of one utterance, or of a batch of them, by name.

    ========  =============================  =======  ====================================================
    entry     shape of a batch               type     what
    ========  =============================  =======  ====================================================
    features  ``(batch, features, frames)``  float32  encoded linguistic features, scaled log F0, voicing
    cycles    ``(batch, frames)``            float32  glottal cycles since the start, whole at each pulse
    voiced    ``(batch, frames)``            float32  0 or 1
    speaker   ``(batch,)``                   int64    number of the speaker
    ========  =============================  =======  ====================================================

    One utterance has the same entries without the batch axis. Frames last 5 ms. They may outnumber the
    waveform's: a training segment brings one frame of lookahead.

    Args:
        entries: by name; none is obligatory, and a model names the one that it misses.

    Raises:
        UserError: for a name that is not in ``SCHEMA``, for another number of axes than the schema and the
            other entries have, and for entries that differ in their frames or in their batch.

    Example:
        >>> context = SpeechContext(features=torch.zeros(7, 20), voiced=torch.ones(20))
        >>> context.num_frames, context.cut(5, 15).num_frames
        (20, 10)
        >>> SpeechContext.collate([context, context.cut(0, 10)])["voiced"].shape
        torch.Size([2, 20])
    """

    def __init__(self, **entries: Tensor) -> None:
        self._entries = {name: torch.as_tensor(value) for name, value in entries.items()}
        ranks = {}
        for name, value in self._entries.items():
            if name not in SCHEMA:
                raise UserError(f"a context has no entry '{name}', expected some of {', '.join(SCHEMA)}")
            ranks[name] = value.dim() - len(SCHEMA[name])
        self.is_batch = set(ranks.values()) == {1}
        if ranks and not (self.is_batch or set(ranks.values()) == {0}):
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in self._entries.items())
            raise UserError(
                f"a context holds {shapes}, expected {self._expected()} with or without a batch axis"
            )
        for what, sizes in (("frames", self._frame_counts()), ("utterances", self._batch_sizes())):
            if len(set(sizes.values())) > 1:
                raise UserError(f"a context's entries differ in their number of {what}: {sizes}")

    @classmethod
    def zeros(cls, *, num_features: int, num_frames: int, batch_size: int = 1) -> Self:
        """A batch of silence that nobody said: what it takes to see whether shapes fit."""
        frames = torch.zeros(batch_size, num_frames)
        return cls(features=torch.zeros(batch_size, num_features, num_frames), cycles=frames, voiced=frames)

    @classmethod
    def collate(cls, contexts: Sequence["SpeechContext"]) -> Self:
        """A batch of utterances, the shorter ones padded by repeating their last frame.

        So an utterance scores in a batch as it does alone: what looks a frame ahead sees the same.
        """
        longest = max((context.num_frames for context in contexts if context), default=0)
        padded = [
            context.take(torch.arange(longest).clamp(max=context.num_frames - 1)) for context in contexts
        ]
        return cls(**{name: torch.stack([context[name] for context in padded]) for name in contexts[0]})

    def __getitem__(self, name: str) -> Tensor:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}={tuple(value.shape)}" for name, value in self.items())
        return f"SpeechContext({shapes})"

    @property
    def num_frames(self) -> int:
        """Frames of 5 ms. Raises UserError where nothing is at frame rate."""
        counts = self._frame_counts()
        if not counts:
            raise UserError(f"{self} has no frames, expected an entry at frame rate")
        return next(iter(counts.values()))

    @property
    def batch_size(self) -> int:
        """Utterances of a batch; 1 of a context without a batch axis."""
        return next(iter(self._batch_sizes().values()), 1)

    def cut(self, first: int, last: int) -> Self:
        """The frames ``first … last − 1``; what is constant stays."""
        return self._map_frames(lambda value: value[..., first:last])

    def take(self, frames: Tensor) -> Self:
        """The frames of these numbers, in their order; what is constant stays."""
        return self._map_frames(lambda value: value[..., frames])

    def roll(self, frames: int) -> Self:
        """All frames moved on by so many, the last ones to the front; what is constant stays."""
        return self._map_frames(lambda value: value.roll(frames, -1))

    def shuffled(self) -> Self:
        """Each utterance gets the context of the one before it; a single one gets its own moved by half."""
        if self.batch_size == 1:
            return self.roll(self.num_frames // 2)
        return type(self)(**{name: value.roll(1, 0) for name, value in self.items()})

    def select(self, utterances: Tensor) -> Self:
        """The utterances of these numbers, in their order, of a batch."""
        return type(self)(**{name: value[utterances.to(value.device)] for name, value in self.items()})

    def to(self, target: torch.device | str | torch.dtype) -> Self:
        """On another device; or its numbers, though not the speaker's, in another precision."""
        is_dtype = isinstance(target, torch.dtype)
        return type(self)(
            **{
                name: value if is_dtype and not value.is_floating_point() else value.to(target)
                for name, value in self.items()
            }
        )

    def _map_frames(self, function) -> Self:
        return type(self)(
            **{name: function(value) if _has_frames(name) else value for name, value in self.items()}
        )

    def _frame_counts(self) -> dict[str, int]:
        return {name: value.shape[-1] for name, value in self._entries.items() if _has_frames(name)}

    def _batch_sizes(self) -> dict[str, int]:
        return {name: len(value) for name, value in self._entries.items()} if self.is_batch else {}

    def _expected(self) -> str:
        return ", ".join(f"{name} ({', '.join(SCHEMA[name])})" for name in self._entries)


def _has_frames(name: str) -> bool:
    return FRAMES in SCHEMA[name]
