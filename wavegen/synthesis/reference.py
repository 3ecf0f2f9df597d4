"""The reference sampler: a causal model generates one sample at a time with its own step form."""

import torch
from torch import Tensor
from tqdm import tqdm

from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import SteppedModel
from wavegen.synthesis.temperature import Temperature, temperature_of_samples


class ReferenceSampler:
    """Synthesis by any autoregressive model with a step form, for a batch of unequal lengths.

    For the same samples, the cached step gives the same parameters as the parallel forward (a test checks
    it), and the head applies the same minimum scale as in training. Works on any device and in any precision,
    at a few hundred samples per second. The compiled engine is tested against it.

    Args:
        model: with ``conditioner`` (step form) and ``head`` whose distribution has ``sample_from_uniforms``.
        temperature: scales the spread of each conditional; 1 samples the model, lower values reduce noise.
    """

    def __init__(self, model: SteppedModel, *, temperature: Temperature = 1.0) -> None:
        self.model, self.temperature = model, temperature

    @torch.inference_mode()
    def sample(
        self,
        context: SpeechContext | None,
        lengths: Tensor,
        *,
        generator: torch.Generator | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Waveforms on the head's grid, ``(batch, max(lengths))``, zero beyond each length.

        Args:
            context: batched conditioning that covers the longest utterance.
            lengths: ``(batch,)`` samples. Finished utterances are removed from the batch.
            generator: source of the uniforms; the same seed gives the same speech.
            progress: show a bar.
        """
        weight = next(self.model.parameters())
        with torch.autocast(weight.device.type, enabled=False):  # would cast every weight at every sample
            return self._sample(context, lengths, weight, generator, progress)

    def _sample(
        self,
        context: SpeechContext | None,
        lengths: Tensor,
        weight: Tensor,
        generator: torch.Generator | None,
        progress: bool,
    ) -> Tensor:
        conditioner, head, device = self.model.conditioner, self.model.head, weight.device
        order = lengths.argsort(descending=True)
        counts = lengths[order].tolist()
        num_samples, batch_size = counts[0], len(counts)
        projected = conditioner.project_context(context, num_samples)
        if projected is not None:
            projected = projected[order.to(projected.device)].permute(2, 0, 1).contiguous()
        uniforms = torch.rand(2, num_samples, batch_size, generator=generator).to(device)
        waveform = weight.new_zeros(num_samples, batch_size)
        state = conditioner.initial_state(batch_size)
        previous = weight.new_zeros(batch_size)
        spread = temperature_of_samples(self.temperature, context, num_samples)
        spread = torch.as_tensor(spread, dtype=weight.dtype, device=device)
        spread = spread[order.to(device)].T if spread.dim() else spread.expand(num_samples, batch_size)
        active = batch_size
        for t in tqdm(range(num_samples), desc="speaking", unit="sample", disable=not progress, leave=False):
            while counts[active - 1] <= t:
                active -= 1
            if active < len(previous):
                previous, state = previous[:active], narrow(state, active)
            column = None if projected is None else projected[t, :active]
            parameters, state = conditioner.step(previous, column, state)
            previous = head(parameters).sample_from_uniforms(
                uniforms[0, t, :active], uniforms[1, t, :active], temperature=spread[t, :active]
            )
            waveform[t, :active] = previous
        result = torch.empty_like(waveform.T)
        result[order.to(device)] = waveform.T
        return result


def narrow(state: object, batch_size: int) -> object:
    """The state of the first members of a batch: every tensor's first dimension is the batch."""
    if isinstance(state, Tensor):
        return state[:batch_size]
    if isinstance(state, (list, tuple)):
        return type(state)(narrow(part, batch_size) for part in state)
    if hasattr(state, "__dataclass_fields__"):
        return type(state)(
            **{name: narrow(getattr(state, name), batch_size) for name in state.__dataclass_fields__}
        )
    return state
