"""The imitated device is a device: values are the CPU's, and what raises on CUDA raises there."""

import copy
import io

import imitation
import numpy as np
import pytest
import torch
from torch import nn


def net():
    torch.manual_seed(0)
    layers = (nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.Tanh(), nn.Flatten(), nn.Linear(20, 2))
    return nn.Sequential(*layers).double()


def test_values_and_gradients_are_those_of_the_cpu(device):
    expected, model, x = net(), net().to(device), torch.randn(2, 3, 7, dtype=torch.float64)
    for of_model, value in ((expected, x), (model, x.to(device))):
        of_model(value).square().sum().backward()
    assert {p.device for p in model.parameters()} == {device}
    for own, other in zip(model.parameters(), expected.parameters(), strict=True):
        assert own.grad is not None and own.grad.device == device
        torch.testing.assert_close(own.grad.cpu(), other.grad, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(model[1].running_mean.cpu(), expected[1].running_mean)


def test_optimisers_step_on_it(device):
    expected, model = net(), net().to(device)
    for own in (expected, model):
        optimizer = torch.optim.Adam(own.parameters(), lr=0.1)
        x = torch.ones(2, 3, 7, dtype=torch.float64, device=next(own.parameters()).device)
        own(x).square().sum().backward()
        optimizer.step()
    for own, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(own.cpu(), other)


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x + torch.ones(3),
        lambda x: x @ torch.ones(3),
        lambda x: torch.where(torch.ones(3) > 0, x, x),
        lambda x: torch.cat([x, torch.ones(3)]),
        lambda x: x.gather(0, torch.tensor([0])),
        lambda x: torch.ones(3)[x > 0],
        lambda x: nn.functional.linear(x, torch.ones(3, 3)),
        lambda x: x.masked_fill(torch.ones(3) > 0, 0.0),
    ],
)
def test_tensors_of_two_devices_do_not_mix(device, mix):
    with pytest.raises(RuntimeError, match=r"same device|on cpu|is on|same type"):
        mix(torch.ones(3, device=device))


def test_a_number_on_the_cpu_and_indices_on_the_cpu_do(device):
    x = torch.arange(3.0, device=device)
    assert (x + torch.tensor(1.0)).tolist() == [1, 2, 3]
    assert x[torch.tensor([2, 0])].tolist() == [2, 0]
    x[torch.tensor([True, False, False])] = 5.0
    assert x.tolist() == [5, 1, 2]


@pytest.mark.parametrize("read", [torch.Tensor.numpy, np.asarray, lambda x: memoryview(x.numpy())])
def test_numpy_does_not_read_it(device, read):
    with pytest.raises(TypeError, match="Use Tensor.cpu"):
        read(torch.ones(3, device=device))


def test_generators_of_the_cpu_do_not_draw_on_it(device):
    with pytest.raises(RuntimeError, match="for generator"):
        torch.rand(3, device=device, generator=torch.Generator())


def test_factories_without_a_device_make_cpu_tensors(device):
    assert torch.zeros(3).device.type == "cpu"
    assert torch.zeros_like(torch.ones(3, device=device)).device == device


def test_views_share_memory_and_written_tensors_stay_themselves(device):
    x = torch.zeros(2, 3, device=device)
    x.T[0] += 1
    x[:, 2] = 7
    x[x > 5] = 2
    torch.cumsum(x.clone(), 1, out=x)
    assert x.tolist() == [[1, 1, 3], [1, 1, 3]]


def test_gradients_of_writing_into_views_know_their_place(device):
    def loss(x):
        y = x * 1
        y[:, 1:][1] = x[0, 2] ** 2
        y.diagonal(1).mul_(3)
        y.unsqueeze_(0).squeeze_(0).t_()
        return (y * torch.arange(12.0, device=x.device).view(4, 3)).sum()

    x = torch.randn(3, 4)
    found, expected = (torch.func.grad(loss)(x.to(where)) for where in (device, "cpu"))
    assert torch.equal(found.cpu(), expected)


def test_conjugates_and_imaginary_parts_are_views(device):
    x, y = (torch.randn(3, 3, dtype=torch.complex128) for _ in range(2))
    expected = (x.conj() @ y.mH, x.conj().imag + 1, torch.fft.irfft2(x @ y.conj()))
    x, y = x.to(device), y.to(device)
    found = (x.conj() @ y.mH, x.conj().imag + 1, torch.fft.irfft2(x @ y.conj()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other)


def test_it_is_copied_saved_and_read_on_a_cpu(device):
    model, file = net().to(device), io.BytesIO()
    twin = copy.deepcopy(model)
    torch.save(model.state_dict(), file)
    file.seek(0)
    with torch.no_grad():
        model[0].weight.zero_()
    assert twin[0].weight.device == device and torch.equal(twin[0].weight.cpu(), net()[0].weight)
    assert torch.equal(torch.load(file, map_location="cpu", weights_only=True)["0.weight"], net()[0].weight)
    file.seek(0)
    assert torch.load(file, weights_only=True)["0.weight"].device == device


def test_functions_are_transformed(device):
    x = torch.randn(4, 3, dtype=torch.float64)
    expected = torch.func.vmap(torch.func.grad(lambda v: v.sin().prod()))(x)
    found = torch.func.vmap(torch.func.grad(lambda v: v.sin().prod()))(x.to(device))
    assert found.device == device
    torch.testing.assert_close(found.cpu(), expected)


def test_autocast_computes_products_in_bfloat16(device):
    x = torch.ones(3, 3, device=device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        assert (x @ x).dtype == nn.functional.linear(x, x).dtype == torch.bfloat16
        assert (x + x).dtype == torch.float32
    assert (x @ x).dtype == torch.float32


def test_what_waits_for_the_device_is_listed(device):
    if device.type != "imitated":
        pytest.skip("only the imitation lists them")
    x = torch.ones(3, device=device)
    with imitation.waits() as found:
        y = (x + 1).sum()
        assert not found
        y.item()
        y.cpu()
    assert [what.partition(" ")[2] for what in found] == ["aten::_local_scalar_dense", "a copy to the CPU"]
