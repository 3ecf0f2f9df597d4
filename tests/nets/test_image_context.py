import pytest
import torch

from wavegen.errors import UserError
from wavegen.nets.image_context import ImageContext, per_element


def test_an_image_is_averaged_down_and_a_vector_is_the_image_that_is_constant():
    torch.manual_seed(0)
    embed = ImageContext(3, 5).double()
    x = torch.zeros(2, 1, 4, 6, dtype=torch.float64)
    image = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    means = image.unflatten(2, (4, 2)).unflatten(-1, (6, 2)).mean((3, 5))
    expected = torch.einsum("oc,bchw->bohw", embed.projection.weight[..., 0, 0], means)
    torch.testing.assert_close(embed(image, x), expected)
    vector = torch.randn(2, 3, dtype=torch.float64)
    constant = vector[:, :, None, None].expand(-1, -1, 8, 12)
    torch.testing.assert_close(embed(vector, x).expand(-1, -1, 4, 6), embed(constant, x))
    # a coarser context is repeated
    coarse = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    repeated = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(embed(coarse, x), embed(repeated, x))


def test_rank_is_checked():
    with pytest.raises(UserError, match=r"got shape \(2, 3, 4\)"):
        ImageContext(3, 5)(torch.zeros(2, 3, 4), torch.zeros(2, 1, 4, 4))


def test_parameters_are_a_view_with_the_parameter_in_the_slow_half_of_the_channels():
    raw = torch.arange(2 * 6 * 4.0).reshape(2, 6, 2, 2)
    parameters = per_element(raw, 2)
    assert parameters.shape == (2, 3, 2, 2, 2) and parameters.data_ptr() == raw.data_ptr()
    first, second = parameters.unbind(-1)
    assert torch.equal(first, raw[:, :3]) and torch.equal(second, raw[:, 3:])
    assert first[0].is_contiguous()
