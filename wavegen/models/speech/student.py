"""The student: inverse autoregressive flows of WaveNets, which generate all samples in parallel."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.flows.affine import Affine
from wavegen.flows.autoregressive import Autoregressive
from wavegen.flows.causal_affine import CausalAffineSeries
from wavegen.flows.compose import Compose
from wavegen.flows.flow import Flow
from wavegen.models.speech.white_noise import Family, WhiteNoise


class WaveNetStudent(Flow):
    r"""A stack of ``Autoregressive(Affine, WaveNet).inv`` over white noise (Parallel WaveNet, 1711.10433).

    The flows are numbered in the order in which the noise passes through them:

    .. math:: x^{i}_t = x^{i-1}_t \, s^i_t + \mu^i_t, \qquad
              (\mu^i_t, \log s^i_t) = c^i(x^{i-1}_{<t}), \quad x^0 = z.

    Given :math:`z_{<t}`, the sample :math:`x_t` has the same distribution family as the noise, with

    .. math:: \log s_\text{tot} = \sum_i \log s^i_t, \qquad
              \mu_\text{tot} = \sum_i \mu^i_t \prod_{j>i} s^j_t .

    Args:
        wavenets: one WaveNet builder per flow, called with ``num_parameters``; weights are not shared.
        family: ``family(loc, log_scale)`` builds the noise, and the conditional of a sample given past noise.
        hop_samples: samples per context frame; with the number of frames it gives the utterance's length.
        initial_scale: total scale of the untrained student. Training does not recover from a large one.
        voice: the bijections of a source-filter model's voice, filter and mixture, which map the flows'
            output to the waveform, :math:`x = g(x^F)`. They are affine in each sample, so
            :math:`\mu_\text{tot}` and :math:`s_\text{tot}` include them. The flows start as the identity
            (times the scale that gives the noise a variance of 1), so the untrained student speaks as the
            source-filter model does, which is frozen. Without them it is the student of the paper.
    """

    base: WhiteNoise

    def __init__(
        self,
        *,
        wavenets: Sequence[Callable[..., nn.Module]],
        family: Family,
        hop_samples: int,
        initial_scale: float = 0.05,
        voice: Sequence[nn.Module] = (),
    ) -> None:
        transform = Affine()
        if len(voice):
            zero = torch.zeros(())
            initial_scale = 1 / float(family(zero, zero).stddev)
        conditioners = [wavenet(num_parameters=transform.num_parameters) for wavenet in wavenets]
        with torch.no_grad():
            for conditioner in conditioners:
                last = conditioner.output[-1]
                last.weight.mul_(0.1)
                last.bias.copy_(torch.tensor([0.0, math.log(initial_scale) / len(conditioners)]))
        steps = [Autoregressive(transform=transform, conditioner=c, event_dim=1) for c in conditioners]
        # The bijection normalises (f: x → z) and sampling applies it backwards, so its last member is the
        # first flow.
        flows = [step.inv for step in reversed(steps)]
        outer = [CausalAffineSeries(*voice)] if len(voice) else []
        super().__init__(bijection=Compose(*outer, *flows), base=WhiteNoise(family, hop_samples))
        self.num_flows = len(flows)
        if self.voice is not None:
            self.voice.requires_grad_(False)
            self.train(self.training)

    @property
    def steps(self) -> list[Autoregressive]:
        """The flows in the order in which noise passes through them."""
        return [bijection.inv for bijection in reversed(self.bijection.members[-self.num_flows :])]

    @property
    def voice(self) -> CausalAffineSeries | None:
        """The bijection of the source-filter model's voice, after the flows; None if there is none."""
        first = self.bijection.members[0]
        return first if isinstance(first, CausalAffineSeries) else None

    @property
    def lookahead_frames(self) -> int:
        """Frames of features after a frame that a sample depends on; 1 for the upsampling."""
        if self.voice is None:
            return 1
        return 1 + max(member.parameter_source.context_frames for member in self.voice.members)

    def train(self, mode: bool = True) -> "WaveNetStudent":
        """The voice is frozen and stays in evaluation mode."""
        super().train(mode)
        if self.voice is not None:
            self.voice.eval()
        return self

    @property
    def receptive_field(self) -> int:
        """Number of past noise samples, without the current one, on which a sample depends.

        Those of the flows: the response of an all-pole filter decays but does not end.
        """
        return sum(step.conditioner.receptive_field for step in self.steps)

    def noise(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """White noise of the student's family by inversion of its CDF: float32 on the student's device.

        With a CPU generator, the same seed gives the same noise on every device.
        """
        return self.base.draw(shape, generator)

    def rsample_with_conditionals(
        self, noise: Tensor, context: Context = None
    ) -> tuple[Tensor, Normal | Logistic]:
        """Generates all samples in one pass, with the conditional of each given the past noise.

        Args:
            noise: ``(batch, time)``.
            context: see ``docs/architecture.md``.

        Returns:
            The waveform ``(batch, time)``, unrounded and unclipped, and the conditionals, batch shape
            ``(batch, time)``, whose ``loc`` and ``log_scale`` are total over all flows.
        """
        x, loc, log_scale = noise, torch.zeros_like(noise), torch.zeros_like(noise)
        for step in self.steps:
            shift, step_log_scale = step.conditioner(x, context).unbind(-1)
            scale = step_log_scale.exp()
            x = x * scale + shift
            loc = loc * scale + shift
            log_scale = log_scale + step_log_scale
        if self.voice is not None:
            inner = x
            with torch.autocast(x.device.type, enabled=False):
                x, outer_log_scale = self.voice.generate(inner, context)
            # x is affine in the flows' current output, so its distribution moves with it.
            loc = x + outer_log_scale.exp() * (loc - inner)
            log_scale = log_scale + outer_log_scale
        return x, self.base.family(loc, log_scale)

    @torch.no_grad()
    def adopt_conditioning(self, conditioning: nn.Module) -> int:
        """Copies a trained conditioning (the teacher's) into every flow where names and shapes agree.

        Returns the number of tensors copied.
        """
        source, copied = conditioning.state_dict(), 0
        for step in self.steps:
            if step.conditioner.conditioning is None:
                continue
            for name, tensor in step.conditioner.conditioning.state_dict().items():
                if name in source and source[name].shape == tensor.shape:
                    tensor.copy_(source[name])
                    copied += 1
        return copied
