import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.nets.made import MADE


def random_made(features, hidden, order, num_parameters=2, **options):
    made = MADE(features, num_parameters, hidden, order=order, **options).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


@st.composite
def mades(draw):
    features = draw(st.integers(1, 6))
    hidden = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    return random_made(features, hidden, draw(st.permutations(range(features))))


def seen_ranks(made):
    """For every layer and unit, the set of ranks that it depends on, path by path through the masks."""
    rank = made.order.tolist()
    layers = [[{rank[feature]} for feature in range(made.features)]]
    for layer in made.layers:
        layers.append(
            [
                set().union(*(layers[-1][k] for k, open_ in enumerate(row) if open_))
                for row in layer.mask.tolist()
            ]
        )
    return layers


@settings(max_examples=50)
@given(made=mades())
def test_ends_count_the_units_that_the_elements_before_a_rank_determine(made):
    schedule, seen = made.rank_schedule(), seen_ranks(made)
    assert len(schedule.ends) == len(made.layers)
    for layer, ends in enumerate(schedule.ends):
        expected = [
            sum(max(ranks, default=-1) < rank for ranks in seen[layer]) for rank in range(made.features + 1)
        ]
        assert ends == expected


@settings(max_examples=50)
@given(made=mades())
def test_sorted_weights_are_the_nets_own_in_another_order(made):
    schedule = made.rank_schedule()
    x = torch.randn(made.features, dtype=torch.float64)
    value = x[schedule.feature_of_rank]
    for index, (weight, bias) in enumerate(zip(schedule.weights, schedule.biases, strict=True)):
        value = weight @ value + bias
        value = made.activation(value) if index < len(schedule.weights) - 1 else value
    parameters = value.view(made.features, -1)
    torch.testing.assert_close(parameters, made(x)[schedule.feature_of_rank])
    assert made.order[schedule.feature_of_rank].tolist() == list(range(made.features))


@settings(max_examples=50)
@given(made=mades())
def test_no_unit_needs_what_is_not_there_yet(made):
    schedule = made.rank_schedule()
    for layer in range(1, len(schedule.ends)):
        for rank in range(made.features + 1):
            rows = schedule.weights[layer - 1][: schedule.ends[layer][rank]]
            assert not rows[:, schedule.ends[layer - 1][rank] :].any()


def test_what_units_hold_at_first_is_bias_and_context():
    made = random_made(3, [4], [0, 1, 2], context_features=2)
    schedule = made.rank_schedule()
    assert [tuple(start.shape) for start in random_made(3, [4], [0, 1, 2]).rank_schedule().starts(None)] == [
        (4, 1),
        (6, 1),
    ]
    context = torch.randn(5, 2, dtype=torch.float64)
    hidden, last = schedule.starts(context)
    expected = schedule.biases[0][:, None] + schedule.context_weights[0] @ context.T
    torch.testing.assert_close(hidden, expected)
    assert torch.equal(last, schedule.biases[1][:, None])
