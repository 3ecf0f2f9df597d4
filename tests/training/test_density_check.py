"""Every method of a density is tried before training, which changes nothing; a mistake is one sentence."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from wavegen.cli.composition import compose_config
from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.bundled import digits
from wavegen.data.tables import TableSet
from wavegen.distributions.discrete_heads import CategoricalHead
from wavegen.errors import UserError
from wavegen.models.flows.glow import glow
from wavegen.models.flows.maf import maf
from wavegen.resources import resource_directory
from wavegen.runs.folder import open_run
from wavegen.training.density_check import check_density, events
from wavegen.training.density_stage import fill_in_event, load_data, new_density, train_density

SHAPE = (1, 8, 8)


class Pixels(nn.Module):
    """Independent normal pixels; what else it has is given."""

    def __init__(self, **methods):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(SHAPE))
        for name, method in methods.items():
            setattr(self, name, method)

    def forward(self, context=None):
        return Independent(Normal(self.loc, 5.0), 3)


def given(result):
    """A method of any arguments."""
    return lambda *arguments: result


class Elementwise(Pixels):
    def forward(self, context=None):
        return Normal(self.loc, 5.0)


class OfContext(Pixels):
    def forward(self, context=None):
        return Independent(Normal(self.loc.expand(2, *SHAPE), 5.0), 3)


class Without(nn.Module):
    pass


class Narrow(nn.Module):
    def forward(self):
        return None


class Returning(nn.Module):
    def forward(self, context=None):
        return torch.zeros(2)


class Few(Pixels):
    def forward(self, context=None):
        return Independent(Categorical(torch.ones(*SHAPE, 16), validate_args=True), 3)


class FewLevels(Pixels):
    def forward(self, context=None):
        return Independent(CategoricalHead(16)(torch.zeros(*SHAPE, 16)), 3)


class Unsampled(Distribution):
    arg_constraints = {}

    def __init__(self, log_prob):
        super().__init__(torch.Size(), torch.Size(SHAPE), validate_args=False)
        self._log_prob = log_prob

    def log_prob(self, value):
        return self._log_prob.expand(len(value))


class Drawless(nn.Module):
    def __init__(self, log_prob=0.0):
        super().__init__()
        self.log_prob = torch.tensor(log_prob)

    def forward(self, context=None):
        return Unsampled(self.log_prob)


class Small(Pixels):
    """Its samples have another shape than its data."""

    def forward(self, context=None):
        distribution = Independent(Normal(self.loc, 5.0), 3)
        distribution.sample = lambda shape: torch.zeros(2, 8, 8)
        return distribution


X = torch.zeros(2, *SHAPE)
PRIOR = Independent(Normal(torch.zeros(4), 1.0), 1)
OF_EVENTS = "(2, 1, 8, 8)"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Without(), "Without has no forward, expected forward(context)"),
        (Narrow(), "Narrow has forward(), expected forward(context)"),
        (
            Returning(),
            "Returning: forward returns a tensor of shape (2,), expected a torch.distributions.Distribution",
        ),
        (
            Elementwise(),
            f"Elementwise: log_prob(x) of forward(context) returns a tensor of shape {OF_EVENTS}, expected "
            "the shape (2,), one number for each event of shape (1, 8, 8); torch.distributions.Independent "
            "sums over an event",
        ),
        (
            Drawless(),
            "Drawless: sample((2,)) of forward(context) is not implemented, expected a result",
        ),
        (
            Drawless(float("nan")),
            "Drawless: log_prob(x) of forward(context) is [nan, nan] for training events, expected finite",
        ),
        (
            Drawless(-float("inf")),
            "Drawless: log_prob(x) of forward(context) is [-inf, -inf] for training events, expected finite",
        ),
        (
            Small(),
            "Small: sample((2,)) of forward(context) returns a tensor of shape (2, 8, 8), expected the "
            f"shape {OF_EVENTS}",
        ),
        (
            FewLevels(),
            "FewLevels: log_prob(x) of forward(context): expected whole levels of 0 to 15, got",
        ),
        (
            Few(),
            f"Few: log_prob(x) of forward(context) fails, expected a result for events of shape {OF_EVENTS} "
            "with values from 0 to 16 (ValueError: ",
        ),
        (
            Pixels(is_bound=given(True)),
            "Pixels: is_bound is an object of function, expected true or false",
        ),
        (
            Pixels(reconstruct=given(X)),
            f"Pixels: reconstruct returns a tensor of shape {OF_EVENTS}, expected two tensors: what is "
            "encoded, and its reconstruction",
        ),
        (
            Pixels(reconstruct=given((X, X[:, 0]))),
            f"Pixels: reconstruct returns a tensor of shape (2, 8, 8), expected the shape {OF_EVENTS}",
        ),
        (
            Pixels(reconstruct=lambda x: (x, x)),
            "Pixels has reconstruct(x), expected reconstruct(x, context)",
        ),
        (
            Pixels(latents=given(X[:1])),
            "Pixels: latents returns a tensor of shape (1, 1, 8, 8), expected a tensor of shape (2, …), as "
            "many as events",
        ),
        (
            Pixels(prior=given(X)),
            f"Pixels: prior returns a tensor of shape {OF_EVENTS}, expected a torch.distributions.Distri",
        ),
        (
            Pixels(latents=given(X), prior=given(PRIOR)),
            f"Pixels: sample((2,)) of prior(context) returns a tensor of shape (2, 4), expected the shape "
            f"{OF_EVENTS}",
        ),
        (
            Pixels(prior=given(PRIOR), decode=lambda z, context: z),
            f"Pixels: decode returns a tensor of shape (2, 4), expected the shape {OF_EVENTS}",
        ),
        (
            Pixels(prior=given(PRIOR), decode=lambda z, context: z @ torch.zeros(3, 64)),
            "Pixels: decode(z, context) fails, expected a result for events",
        ),
        (
            Pixels(prior=given(PRIOR), reconstruct_draws=given((X,))),
            f"Pixels: reconstruct_draws returns a tuple (a tensor of shape {OF_EVENTS}), expected two "
            "tensors: what is encoded, and its reconstruction",
        ),
        (
            Pixels(interpolate=given(X)),
            f"Pixels: interpolate returns a tensor of shape {OF_EVENTS}, expected the shape (2, 2, 1, 8, 8)",
        ),
        (
            Pixels(interpolate=lambda first, last, weights: X),
            "Pixels has interpolate(first, last, weights), expected interpolate(first, last, weights, "
            "context, last_context)",
        ),
    ],
)
def test_what_a_density_has_got_wrong_is_one_sentence(model, said):
    with pytest.raises(UserError) as error:
        check_density(model, digits(), NoContext())
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


def test_a_defect_of_the_models_own_code_keeps_its_traceback():
    class Defective(Pixels):
        def forward(self, context=None):
            return self.nothing_like_it

    with pytest.raises(AttributeError, match="nothing_like_it"):
        check_density(Defective(), digits(), NoContext())


@pytest.mark.parametrize(
    "model",
    [
        Pixels(),
        OfContext(),
        Pixels(
            is_bound=True,
            prior=given(PRIOR),
            latents=given(torch.zeros(2, 4)),
            decode=given(X),
            reconstruct=given([X, X]),
            reconstruct_draws=given((X, X)),
            interpolate=given(torch.zeros(2, *X.shape)),
        ),
    ],
)
def test_a_distribution_is_enough_and_what_is_offered_is_tried(model):
    check_density(model, digits(), NoContext())


def small_glow(features=0):
    return glow(
        image_shape=list(SHAPE), num_scales=1, num_steps=1, hidden_channels=4, context_features=features
    )


@pytest.mark.parametrize("context", [NoContext(), LabelContext()])
def test_a_flow_passes_and_is_left_as_it_was(context):
    flow = small_glow(context.num_features(digits()))
    before = {name: value.clone() for name, value in flow.state_dict().items()}
    state = torch.get_rng_state()
    check_density(flow, digits(), context)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in flow.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(module.training for module in flow.modules())
    assert not any(value for name, value in before.items() if name.endswith("initialised"))


def test_rows_of_a_table_are_tried_too():
    train = torch.randn(9, 3)
    one = torch.ones(3)
    data = TableSet(train, train, train, columns=("a", "b", "c"), offset=0 * one, scale=one, name="rows")
    check_density(maf(features=3, num_flows=2, hidden=[8]), data, NoContext())
    with pytest.raises(UserError, match=r"expected events of shape \(2,\), got"):
        check_density(maf(features=2, num_flows=2, hidden=[8]), data, NoContext())


def test_the_events_have_the_highest_and_the_lowest_value_and_their_labels():
    data = digits()
    x, context = events(data, LabelContext())
    assert x.shape == X.shape and x.dtype == torch.float32
    assert x[0].max() == data.train[:1000].max() and x[1].min() == 0
    for image, label in zip(x, context.argmax(1), strict=True):
        same = (data.train == image).flatten(1).all(1)
        assert label in data.labels["train"][same]


SMALL = [
    "flow_model.num_steps=1",
    "flow_model.hidden_channels=4",
    "flow_training.max_steps=6",
    "flow_training.batch_size=8",
    "flow_training.validate_every_steps=3",
]


def test_a_training_gives_the_same_weights_with_and_without_the_check(tmp_path):
    for name in ("without", "with"):
        config = compose_config(
            "flow", [*SMALL, f"run={tmp_path / name}"], configs=resource_directory("configs")
        )
        data, context = load_data(config)
        fill_in_event(config, data, context)
        flow = new_density(config)
        if name == "with":
            check_density(flow, data, context)
        train_density(config, flow, data, context, open_run(config))
    without, checked = (load_file(tmp_path / name / "flow.safetensors") for name in ("without", "with"))
    assert without.keys() == checked.keys()
    for name in without:
        assert torch.equal(without[name], checked[name]), name
