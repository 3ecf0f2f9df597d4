"""Source and filter: exact probabilities, samples in one pass, one filter for both sources."""

import itertools

import pytest
import torch
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.resources import resource_directory
from wavegen.runs.weights import build_model

HOP = 40
NARROW = [
    "source_filter.filter.parameters.hidden_channels=8",
    "source_filter.filter.parameters.kernel_size=3",
    "source_filter.mixture.parameters.hidden_channels=8",
]


@pytest.fixture
def model() -> SourceFilter:
    voice = ["voice.sample_rate=8000", f"voice.hop_samples={HOP}", "voice.num_features=7"]
    config = compose_config("source_filter", [*voice, *NARROW], configs=resource_directory("configs"))
    torch.manual_seed(0)
    model = build_model(OmegaConf.to_container(config.source_filter, resolve=True), source="source_filter")
    for net in (model.filter.parameter_source, model.mixture.parameter_source):
        net.last.weight.data.mul_(10)  # so that frames differ
    return model.eval().double()


@pytest.fixture
def context() -> SpeechContext:
    torch.manual_seed(1)
    return SpeechContext(
        features=torch.randn(2, 7, 6, dtype=torch.float64),
        cycles=torch.rand(2, 6, dtype=torch.float64).cumsum(-1),
        voiced=torch.tensor([[0.0, 1, 1, 1, 1, 0], [1, 1, 0, 0, 1, 1]], dtype=torch.float64),
    )


def test_it_fits_the_protocols_of_speech_models(model):
    assert isinstance(model.density, SequentialModel) and isinstance(model.voice, ParallelModel)
    assert len({*model.density.parameters(), *model.voice.parameters()}) == len(list(model.parameters()))


@pytest.mark.parametrize(("which", "family"), [("density", Logistic), ("voice", Normal)])
def test_conditionals_given_past_noise_are_those_of_the_flow(model, context, which, family):
    flow = getattr(model, which)
    noise = flow.noise((2, 6 * HOP - 3)).double()
    x, conditionals = flow.rsample_with_conditionals(noise, context)
    assert isinstance(conditionals, family)
    torch.testing.assert_close(conditionals.loc + conditionals.log_scale.exp() * noise, x)
    torch.testing.assert_close(conditionals.log_scale.sum(-1), flow.bijection.inverse(noise, context)[1])
    # the location does not depend on the current noise, nor does the scale on any
    changed = noise.clone()
    changed[:, 100:] = 0.0
    _, other = flow.rsample_with_conditionals(changed, context)
    torch.testing.assert_close(conditionals.loc[:, :101], other.loc[:, :101])
    torch.testing.assert_close(conditionals.log_scale, other.log_scale)
    torch.testing.assert_close(flow.bijection(x, context)[1], -conditionals.log_scale.sum(-1))


def test_the_density_s_masses_are_those_of_its_own_location_and_scale(model, context):
    """The probabilities of all 16-bit values at one time sum to one."""
    x = 0.1 * torch.randn(1, 50, dtype=torch.float64)
    one = context.select(torch.tensor([0]))
    grid = torch.arange(-(2**15), 2**15, dtype=torch.float64) / 2**15
    total = model.density.conditionals(x, one).log_prob(grid[:, None, None])[:, 0, 37].exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-9)
    loc, log_scale, noise = model.density.locate(x, one)
    torch.testing.assert_close(loc + log_scale.exp() * noise, x)


def test_the_density_depends_on_the_past_through_its_predictors_only(model, context):
    """The filter reads its order; with long-term prediction, also around the same phase a cycle earlier."""
    order, long_term = model.filter.order, model.long_term
    context = context.select(torch.tensor([0]))
    steady = SpeechContext(**{**context, "cycles": 0.5 * torch.arange(6, dtype=torch.float64)[None]})
    x = torch.randn(1, 240, dtype=torch.float64, requires_grad=True)

    def reached(t):
        loc, _, _ = model.density.locate(x, steady)
        (gradient,) = torch.autograd.grad(loc[0, t], x)
        return torch.nonzero(gradient[0].abs() > 1e-12).flatten().tolist()

    nearest, past = list(range(140 - order, 140)), reached(140)
    lag, reach = 2 * HOP, long_term.reach  # half a cycle a frame
    assert past[-order:] == nearest
    assert past[:-order] and min(past) >= 140 - lag - reach - 1 - order
    assert max(past[:-order]) <= 140 - lag + reach + 1
    assert model.density.receptive_field == order + long_term.order
    model.long_term = None
    assert reached(140) == nearest and model.density.receptive_field == order


def test_an_utterance_sounds_in_a_batch_as_it_does_alone(model, context):
    longer = SpeechContext(**{name: value[0].repeat_interleave(2, -1) for name, value in context.items()})
    shorter = longer.cut(0, 9)
    noise = model.voice.noise((2, 12 * HOP)).double()
    both = SpeechContext.collate([longer, shorter])
    together, _ = model.voice.rsample_with_conditionals(noise, both)
    alone, _ = model.voice.rsample_with_conditionals(noise[1:, : 9 * HOP], SpeechContext.collate([shorter]))
    inside = 8 * HOP + HOP // 2  # the last half frame is between the last frame and the padding
    torch.testing.assert_close(together[1:, :inside], alone[:, :inside])
    torch.testing.assert_close(together[1:, : 9 * HOP], alone, rtol=0, atol=1e-3)


def test_a_frame_is_influenced_within_the_lookahead_only(model):
    num_frames, frame = 60, 30
    torch.manual_seed(2)
    features = torch.randn(1, 7, num_frames, dtype=torch.float64)
    cycles, voiced = torch.arange(num_frames).double()[None] * 0.7, torch.ones(1, num_frames).double()
    noise = model.voice.noise((1, num_frames * HOP)).double()

    def spoken(features):
        context = SpeechContext(features=features, cycles=cycles, voiced=voiced)
        return model.voice.rsample_with_conditionals(noise, context)[0]

    changed = features.clone()
    changed[..., frame] += 5.0
    first = int(torch.nonzero((spoken(features) - spoken(changed))[0].abs() > 1e-12)[0]) // HOP
    assert frame - model.lookahead_frames <= first <= frame


def test_both_flows_share_the_filter(model):
    members = list(itertools.chain(model.density.bijection.members, model.voice.bijection.members))
    assert sum(member is model.filter for member in members) == 2
