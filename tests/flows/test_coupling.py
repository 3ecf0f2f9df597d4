import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.flows import (
    Additive,
    Affine,
    AlternatingSplit,
    ChannelSplit,
    CheckerboardSplit,
    Coupling,
    HalfSplit,
    RationalQuadraticSpline,
    Sigmoid,
)


class Smooth(nn.Module):
    """Parameters of every moved element from all kept ones, whatever the shapes."""

    def __init__(self, split, event_shape, num_parameters) -> None:
        super().__init__()
        kept, moved = split.shapes(event_shape)
        self.shape = (*moved, num_parameters)
        self.weight = nn.Parameter(torch.randn(kept.numel(), moved.numel() * num_parameters))
        self.rank = len(kept)

    def forward(self, kept, context=None):
        hidden = torch.sin(kept.flatten(-self.rank) @ self.weight)
        return hidden.unflatten(-1, self.shape) + (0 if context is None else context)


SPLITS = [
    (HalfSplit(), (5,)),
    (AlternatingSplit().swapped, (5,)),
    (ChannelSplit(), (3, 2, 2)),
    (CheckerboardSplit(), (1, 4, 2)),
]


@pytest.mark.parametrize(("split", "event_shape"), SPLITS, ids=lambda value: str(value))
@pytest.mark.parametrize("transform", [Affine(), RationalQuadraticSpline(4)], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_jacobian_has_identity_zero_and_diagonal_blocks(split, event_shape, transform, direction):
    torch.manual_seed(0)
    conditioner = Smooth(split, event_shape, transform.num_parameters)
    coupling = Coupling(split=split, transform=transform, conditioner=conditioner).double()
    x = torch.randn(event_shape, dtype=torch.float64)
    kept, moved = split(x)
    size = kept.numel()

    def in_parts(parts):
        value = split.merge(parts[:size].view(kept.shape), parts[size:].view(moved.shape))
        return torch.cat([part.flatten() for part in split(getattr(coupling, direction)(value)[0])])

    jacobian = torch.autograd.functional.jacobian(in_parts, torch.cat([kept.flatten(), moved.flatten()]))
    assert torch.equal(jacobian[:size, :size], torch.eye(size, dtype=torch.float64))
    assert (jacobian[:size, size:] == 0).all()
    below = jacobian[size:, size:]
    assert torch.equal(below, torch.diag(below.diagonal())) and (below.diagonal() > 0).all()
    assert (jacobian[size:, :size] != 0).any(1).all()  # every moved element is steered
    log_det = getattr(coupling, direction)(x)[1]
    torch.testing.assert_close(log_det, below.diagonal().log().sum(), rtol=1e-10, atol=1e-10)


def test_kept_passes_bit_for_bit_and_log_det_is_one_number_per_event():
    split = CheckerboardSplit()
    coupling = Coupling(split=split, transform=Affine(), conditioner=Smooth(split, (2, 4, 4), 2))
    x = torch.randn(3, 7, 2, 4, 4)
    z, log_det = coupling(x)
    assert torch.equal(split(z)[0], split(x)[0])
    assert log_det.shape == (3, 7) and coupling.event_dim == 3


def test_context_steers():
    split = HalfSplit()
    coupling = Coupling(split=split, transform=Additive(), conditioner=Smooth(split, (4,), 1))
    x = torch.randn(2, 4)
    difference = coupling(x, torch.tensor(3.0))[0] - coupling(x)[0]
    torch.testing.assert_close(difference, torch.tensor([0.0, 0, 3, 3]).expand(2, 4))


def test_the_log_det_is_float32_under_autocast():
    split = HalfSplit()
    coupling = Coupling(split=split, transform=Affine(), conditioner=Smooth(split, (4,), 2))
    with torch.autocast("cpu", torch.bfloat16):
        z, log_det = coupling(torch.randn(2, 4))
    assert log_det.dtype == z.dtype == torch.float32


def test_parameter_counts_must_agree():
    conditioner = Smooth(HalfSplit(), (4,), 3)
    conditioner.num_parameters = 3
    with pytest.raises(
        UserError, match="expected a conditioner with 2 parameters per element for Affine, got 3"
    ):
        Coupling(split=HalfSplit(), transform=Affine(), conditioner=conditioner)


def test_parameters_of_another_shape_are_refused_even_where_they_would_broadcast():
    class OneForAll(nn.Module):
        def forward(self, kept, context=None):
            return torch.zeros(2)

    coupling = Coupling(split=HalfSplit(), transform=Affine(), conditioner=OneForAll())
    for direction in (coupling, coupling.inverse):
        with pytest.raises(
            UserError, match=r"expected parameters of shape \(3, 2, 2\) from OneForAll, got \(2,\)"
        ):
            direction(torch.zeros(3, 4))


def test_a_conditioner_of_another_width_is_refused_with_the_shapes():
    conditioner = Smooth(HalfSplit(), (4,), 2)
    conditioner.in_features = 2
    coupling = Coupling(split=HalfSplit(), transform=Affine(), conditioner=conditioner)
    assert coupling.forward_shape((4,)) == (4,)
    message = r"expected 2 features or channels kept for Smooth, got shape \((1, )?3,?\)"
    for refused in (coupling.forward_shape, coupling.inverse_shape):
        with pytest.raises(UserError, match=message):
            refused((6,))
    for direction in (coupling, coupling.inverse):
        with pytest.raises(UserError, match=message):
            direction(torch.zeros(1, 6))


def test_a_bijection_in_the_place_of_a_transform_is_refused():
    with pytest.raises(UserError, match="expected a τ or a head, .* got Sigmoid"):
        Coupling(split=HalfSplit(), transform=Sigmoid(), conditioner=Smooth(HalfSplit(), (4,), 2))


def test_an_event_that_cannot_be_split_is_refused():
    split = CheckerboardSplit()
    coupling = Coupling(split=split, transform=Affine(), conditioner=Smooth(split, (1, 2, 2), 2))
    for refused in (coupling.forward_shape, coupling.inverse_shape):
        assert refused((1, 2, 2)) == (1, 2, 2)
        with pytest.raises(UserError, match="even height and width"):
            refused((1, 3, 2))
