import torch
import torch.nn.functional as F

from wavegen.nets.residual_net import ResidualBlock, ResidualNet


def test_residual_blocks_start_as_the_identity_and_add_to_it():
    block = ResidualBlock(3).double()
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    assert torch.equal(block(x), x)
    with torch.no_grad():
        block.second.bias.add_(1.0)
    torch.testing.assert_close(block(x), x + 1)


def test_a_block_is_the_formula():
    block = ResidualBlock(2, context_features=3).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x, context = torch.randn(1, 2, 3, 3).double(), torch.randn(1, 3).double()
    first = F.conv2d(F.relu(x), block.first.weight, block.first.bias, padding=1)
    hidden = F.relu(first + block.context(context, x))
    expected = x + F.conv2d(hidden, block.second.weight, block.second.bias, padding=1)
    torch.testing.assert_close(block(x, context), expected)


def test_an_output_sees_as_far_as_its_convolutions_reach():
    """A 3×3 convolution before, two in each block, one behind: two blocks reach 6 pixels."""
    net = ResidualNet(1, 1, 1, 4, num_blocks=2).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 1, 1, 17, dtype=torch.float64, requires_grad=True)
    net(x)[0, 0, 0, 8, 0].backward()
    assert x.grad[0, 0, 0].nonzero().flatten().tolist() == list(range(2, 15))
