import pytest
import torch

from wavegen.errors import UserError
from wavegen.nets.gated_attention import ChannelNorm, GatedAttention, GatedAttentionNet


def test_attention_against_its_definition():
    """Softmax of scaled products, written with loops over heads."""
    torch.manual_seed(0)
    attention = GatedAttention(6, num_heads=2).double()
    x = torch.randn(2, 6, 2, 3, dtype=torch.float64)
    position = torch.randn(6, 2, 3, dtype=torch.float64)
    sequence = (x + position).flatten(2).transpose(1, 2)
    query, key, value = (sequence @ attention.projection.weight.T).split(6, dim=-1)
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        scores = query[..., head] @ key[..., head].transpose(1, 2) / 3**0.5
        heads.append(scores.softmax(-1) @ value[..., head])
    a, b = attention.gate(torch.cat(heads, -1)).chunk(2, -1)
    expected = x + (a * torch.sigmoid(b)).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(attention(x, position), expected)


def test_every_position_sees_every_other():
    torch.manual_seed(0)
    net = GatedAttentionNet(1, 1, 1, 8, (6, 6), num_blocks=1, num_heads=2).double()
    kept = torch.randn(1, 1, 6, 6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(net, kept)
    assert (jacobian != 0).all()


def test_norm_is_over_channels_at_every_position():
    norm = ChannelNorm(8).double()
    result = norm(3 + 2 * torch.randn(2, 8, 3, 4, dtype=torch.float64))
    torch.testing.assert_close(result.mean(1), torch.zeros(2, 3, 4, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(
        result.var(1, correction=0), torch.ones(2, 3, 4, dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_refusals():
    with pytest.raises(UserError, match="dividing 6 channels, got 4"):
        GatedAttention(6, num_heads=4)
    with pytest.raises(UserError, match=r"images of \(4, 4\), got \(4, 6\)"):
        GatedAttentionNet(1, 1, 1, 8, (4, 4))(torch.zeros(1, 1, 4, 6))
