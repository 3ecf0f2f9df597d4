"""The sequential engine: synthesis by a causal WaveNet with packed weights, one compiled loop per window."""

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import repeat

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from tqdm import tqdm

from wavegen.distributions.precision import bounded_logit, open_unit_interval
from wavegen.engines.conditioning_windows import ConditioningWindows, Window
from wavegen.engines.sequential.packed import MIXTURE, PackedTeacher
from wavegen.engines.sequential.state import IDENTITY, WaveformMap
from wavegen.engines.sequential.utterance_group import UtteranceGroup, run_groups
from wavegen.engines.sequential.waveform_maps import WaveformMaps
from wavegen.engines.supported_models import check_settings
from wavegen.engines.torch_threads import one_torch_thread
from wavegen.engines.vector.tiles import BFLOAT16_WEIGHTS, FLOAT32
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.linear_prediction import LinearPrediction
from wavegen.workers import available_cores

PRECISIONS = {"float32": FLOAT32, "bfloat16": BFLOAT16_WEIGHTS}
"""Precisions of the weights: float32, or rounded to bfloat16. Inputs are float32."""

_MOST_STAGES = 2
"""Threads for one utterance: while one computes the current sample, the other sums the past of the next."""

_LEAST_BYTES_TO_SHARE = 1 << 20
"""Size of the weights in bytes from which two threads are faster. Smaller weights fit in one core's cache."""


class TeacherEngine:
    """Runs any teacher of a ``WaveNet`` and a head of this project, plain, with a linear predictor, or of the
    excitation of a source-filter model.

    Equals the model's own step form up to float32 rounding: the same uniforms give the same samples. The
    weights are packed when the engine is created; later changes of the model have no effect.

    Args:
        model: with ``conditioner`` and ``head``, in float32. Only its conditioning runs on its own device.
        precision: ``float32``, or ``bfloat16`` for weights rounded to bfloat16 (activations stay in float32).
        num_threads: maximum; None for every core that this process may use. One utterance uses at most two,
            a batch at most as many as it has utterances. The speech does not depend on it.

    Raises:
        Unsupported: if the engine cannot run a part of the model; names it.
        UserError: if a weight is not finite, the precision is unknown, or the number of threads is below 1.
    """

    def __init__(
        self, model: nn.Module, *, precision: str = "float32", num_threads: int | None = None
    ) -> None:
        check_settings(precision, num_threads)
        self.model, self.num_threads = model, num_threads or available_cores()
        self.packed = PackedTeacher(model, PRECISIONS[precision])
        self.windows = ConditioningWindows(self.packed.wavenet.conditioning)
        self.net = self.packed.net(self.windows.sample_columns)
        self.maps = WaveformMaps(self.packed.excitation) if self.packed.excitation else None

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    @one_torch_thread()
    def speak(
        self,
        context: SpeechContext | None,
        lengths: Tensor,
        uniforms: Tensor,
        *,
        temperature: float | Tensor = 1.0,
        progress: bool = False,
    ) -> Tensor:
        """Waveforms ``(batch, max(lengths))``, zero beyond each length.

        Args:
            context: batched conditioning that covers the longest utterance.
            lengths: ``(batch,)`` samples, in descending order.
            uniforms: ``(2, max(lengths), batch)``: for the component and for the value of every sample.
            temperature: scales the spread of each conditional; one number, or ``(batch, max(lengths))``.
            progress: show a bar.
        """
        blocks = self.stream(context, lengths, uniforms, temperature=temperature, progress=progress)
        return torch.cat(list(blocks), 1)

    def stream(
        self,
        context: SpeechContext | None,
        lengths: Tensor,
        uniforms: Tensor,
        *,
        temperature: float | Tensor = 1.0,
        progress: bool = False,
    ) -> Iterator[Tensor]:
        """The waveforms of :meth:`speak` in blocks of one conditioning window, as they are computed."""
        num_samples, spoken = int(lengths[0]), 0
        draws = (
            uniforms[0].numpy(),
            self._noise(uniforms[1]).numpy(),
            torch.as_tensor(temperature, dtype=torch.float32, device="cpu")
            .expand(len(lengths), num_samples)
            .T.numpy(),
        )
        windows, maps = self._run(context, lengths.tolist()), self._maps(context, num_samples)
        bar = tqdm(total=num_samples, desc="speaking", unit="sample", disable=not progress, leave=False)
        with bar, closing(maps):
            while spoken < num_samples:
                block = self._speak_window(windows, maps, lengths, draws)
                spoken += block.shape[1]
                bar.update(block.shape[1])
                yield block

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    @one_torch_thread()
    def _speak_window(
        self,
        windows: Iterator[tuple[Window, list[UtteranceGroup]]],
        maps: Iterator[WaveformMap],
        lengths: Tensor,
        draws: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> Tensor:
        """The next window of every utterance; between windows, torch has the caller's settings."""
        with torch.autocast(self.device.type, enabled=False):  # it may be called within a training step
            window, groups = next(windows)
        map = next(maps)
        u_component, noise, temperature = (drawn[window.start : window.stop] for drawn in draws)
        for group in groups:
            group.to_speak(u_component, noise, temperature, map)
        run_groups(groups)
        block = torch.zeros(len(lengths), window.stop - window.start)
        for group in groups:
            block[torch.from_numpy(group.members)] = torch.from_numpy(group.spoken)
        inside = torch.arange(window.start, window.stop) < lengths[:, None]
        return block.masked_fill_(~inside, 0.0)

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    @one_torch_thread()
    def parameters(self, x: Tensor, context: SpeechContext | None = None) -> Tensor:
        """The net's parameters of every sample given the previous ones, computed step by step.

        Args:
            x: ``(batch, time)``, the waveform as the model observes it; of a teacher with a source-filter
                model, its excitation.
            context: as for :meth:`speak`.

        Returns:
            ``(batch, time, num_parameters)``, without the contribution of a linear predictor or a
            source-filter model.
        """
        x = x.float().cpu().contiguous()
        recorded = x.new_zeros(*x.shape, self.net.parameter_width).numpy()
        for window, groups in self._run(context, [x.shape[1]] * len(x)):
            here = slice(window.start, window.stop)
            for group in groups:
                group.to_read(x.numpy()[:, here])
            run_groups(groups)
            for group in groups:
                recorded[group.members, here] = group.recorded
        return torch.from_numpy(recorded[..., : self.packed.wavenet.num_parameters])

    @torch.inference_mode()
    def conditionals(self, x: Tensor, context: SpeechContext | None = None) -> Distribution:
        """p(x_t | x_<t, context) for every t, like the model's method; used for rounded weights."""
        observed = getattr(self.model.head, "observed", None)
        x = x if observed is None else observed(x)
        if self.packed.excitation is not None:
            density = self.packed.excitation.source_filter.density
            loc, log_scale, excitation = density.locate(x.to(self.device), context)
            parameters = self.parameters(excitation, context)
            return self.model.head(self.packed.excitation.affine(parameters, loc.cpu(), log_scale.cpu()))
        parameters = self.parameters(x, context)
        if isinstance(self.model.conditioner, LinearPrediction):
            prediction = self.model.conditioner.predict(x.to(self.device)).cpu()
            parameters = self.model.head.shift_loc(parameters, prediction)
        return self.model.head(parameters)

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.packed.wavenet.input.weight.device

    def _noise(self, uniform: Tensor) -> Tensor:
        """Uniforms mapped to standard deviates of the head's family."""
        if self.net.head == MIXTURE:
            return bounded_logit(uniform)
        return torch.special.ndtri(open_unit_interval(uniform))

    def _maps(self, context: SpeechContext | None, num_samples: int) -> Generator[WaveformMap, None, None]:
        """The map of every window."""
        if self.maps is None:
            yield from repeat(IDENTITY)
        else:
            length, in_thread = self.windows.window_samples, self.num_threads > 1
            yield from self.maps.of_windows(context, num_samples, length, in_thread=in_thread)

    def _run(
        self, context: SpeechContext | None, lengths: list[int]
    ) -> Iterator[tuple[Window, list[UtteranceGroup]]]:
        """Every window, with the groups of utterances that have not ended."""
        batch_size, num_samples = len(lengths), lengths[0]
        num_groups = min(self.num_threads, batch_size)
        alone = batch_size > 1 or self.net.weights.nbytes < _LEAST_BYTES_TO_SHARE
        num_stages = 1 if alone else min(self.num_threads, _MOST_STAGES)
        constants = self.windows.constants(context, batch_size)
        biases = torch.from_numpy(self.packed.gate_bias).expand(batch_size, -1, -1)
        if self.windows.constant_columns:
            biases = biases + self._project(constants, self.windows.constant_columns)
        starts = biases.contiguous().numpy()
        kernel = self.windows.kernel if self.windows.frame_columns else torch.zeros(3, 0)
        # Assigned in turn, so that every group has long and short utterances, in descending order of length.
        members = [np.arange(first, batch_size, num_groups) for first in range(num_groups)]
        groups = [UtteranceGroup(self.net, m, starts[m], self._split(num_stages)) for m in members]
        for index in range(self.windows.num_windows(num_samples)):
            window = self.windows.window(context, index, num_samples, batch_size)
            for group in groups:
                group.truncate(sum(lengths[m] > window.start for m in group.members.tolist()))
            groups = [group for group in groups if len(group.members)]
            frames = self._project(window.frames, self.windows.frame_columns)
            for group in groups:
                group.prepare(window, frames, kernel)
            yield window, groups

    def _project(self, channels: Tensor, columns: list[int]) -> Tensor:
        """Project conditioning onto every layer's gates, ``(…, channels) -> (…, layers, 2 · gate_width)``."""
        if not columns:
            return channels.new_zeros(*channels.shape[:-1], 0, 0)
        projections = torch.from_numpy(self.packed.projections)[..., columns]
        return (channels @ projections.flatten(0, 1).T).unflatten(-1, projections.shape[:2])

    def _split(self, num_stages: int) -> list[int]:
        """The first layer of every stage, and the number of layers at the end."""
        layers = len(self.net.now)
        num_stages = min(num_stages, layers)
        return [layers * stage // num_stages for stage in range(num_stages + 1)]
