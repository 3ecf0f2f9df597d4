"""The conditioning input of speech models: its schema and the operations on it."""

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
"""Axes of each entry without the batch: per frame if the last axis is ``frames``, else constant in time."""


class SpeechContext(Mapping[str, Tensor]):
    """The conditioning of one utterance, or of a batch of utterances, by entry name.

    ========  =============================  =======  ====================================================
    entry     shape of a batch               type     what
    ========  =============================  =======  ====================================================
    features  ``(batch, features, frames)``  float32  encoded linguistic features, scaled log F0, voicing
    cycles    ``(batch, frames)``            float32  glottal cycles since the start, integer at each pulse
    voiced    ``(batch, frames)``            float32  0 or 1
    speaker   ``(batch,)``                   int64    index of the speaker
    ========  =============================  =======  ====================================================

    A single utterance has the same entries without the batch axis. Frames last 5 ms. There may be more
    frames than the waveform needs: a training segment has one frame of lookahead.

    Args:
        entries: by name; all are optional. A model raises an error that names an entry it misses.

    Raises:
        UserError: if a name is not in ``SCHEMA``, an entry has another number of axes than the schema and
            the other entries require, or entries differ in their number of frames or in their batch size.

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
                raise UserError(f"a context has no entry '{name}', expected one of {', '.join(SCHEMA)}")
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
        """A batch of zeros, for checking whether shapes fit."""
        frames = torch.zeros(batch_size, num_frames)
        return cls(features=torch.zeros(batch_size, num_features, num_frames), cycles=frames, voiced=frames)

    @classmethod
    def collate(cls, contexts: Sequence["SpeechContext"]) -> Self:
        """A batch of utterances; shorter ones are padded by repeating their last frame.

        The padding leaves an utterance's score unchanged, because lookahead sees the same frame.
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
        """Number of 5 ms frames. Raises UserError if no entry is at frame rate."""
        counts = self._frame_counts()
        if not counts:
            raise UserError(f"{self} has no frames, expected an entry with frames")
        return next(iter(counts.values()))

    @property
    def batch_size(self) -> int:
        """Number of utterances; 1 for a context without a batch axis."""
        return next(iter(self._batch_sizes().values()), 1)

    def cut(self, first: int, last: int) -> Self:
        """The frames ``first … last − 1``; constant entries are unchanged."""
        return self._map_frames(lambda value: value[..., first:last])

    def take(self, frames: Tensor) -> Self:
        """The frames with these indices, in the given order; constant entries are unchanged."""
        return self._map_frames(lambda value: value[..., frames])

    def roll(self, frames: int) -> Self:
        """Shifts the frames cyclically to the right by ``frames``; constant entries are unchanged."""
        return self._map_frames(lambda value: value.roll(frames, -1))

    def shuffled(self) -> Self:
        """Gives each utterance the context of the previous one; a single one is rolled by half its length."""
        if self.batch_size == 1:
            return self.roll(self.num_frames // 2)
        return type(self)(**{name: value.roll(1, 0) for name, value in self.items()})

    def select(self, utterances: Tensor) -> Self:
        """The utterances of a batch with these indices, in the given order."""
        return type(self)(**{name: value[utterances.to(value.device)] for name, value in self.items()})

    def to(self, target: torch.device | str | torch.dtype) -> Self:
        """Moves to a device, or converts the floating-point entries (not ``speaker``) to a dtype."""
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
