"""``pytest --device`` finds what the code under test leaves on the CPU, and nothing of the tests' own."""

import pytest
import torch
from placement import Placement
from torch import nn

from wavegen.nets import upsampling
from wavegen.nets.mlp import MLP


@pytest.fixture
def placed(device):
    with Placement(device):
        yield device


def test_what_tests_and_constructors_make_lies_on_the_device(placed):
    weight = nn.Parameter(torch.randn(2, requires_grad=True))
    model = MLP(2, 3, 1, [4])
    assert torch.zeros(3).device == torch.tensor([1.0]).device == weight.device == placed
    assert {tensor.device for tensor in model.parameters()} == {placed}
    assert torch.ones(2, requires_grad=True).is_leaf
    assert torch.from_numpy(torch.arange(3).numpy()).device == placed


def test_random_numbers_are_the_same_on_every_device(placed):
    own, drawn = torch.randn(3), torch.rand(3, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    assert torch.equal(own.cpu(), torch.randn(3, device="cpu"))
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(drawn.cpu(), torch.rand(3, generator=generator, device="cpu"))


def test_a_factory_of_the_package_that_forgets_its_device_is_found(placed, monkeypatch):
    forgetful = compile("import torch\ndef positions(n): return torch.arange(n)", upsampling.__file__, "exec")
    namespace = {}
    exec(forgetful, namespace)
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(3) + namespace["positions"](3)
