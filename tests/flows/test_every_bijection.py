"""Every bijection of the room, every invariant over all of them: a new one is one more entry of a list.

``tests/flows/cases/FAMILY.py`` each define ``CASES``: name → a dictionary with ``build``, a callable that
makes the bijection, and, where the default does not fit,

- ``x``, a callable that makes a float64 batch of three inside f's domain (default: normal, (3, 4));
- ``context``, one that makes the context, or None (default: normal, (3, 2));
- ``float32_tolerance`` (default 1e-5), of the float32 round trip relative to the condition number.
"""

import io
import runpy
from pathlib import Path

import pytest
import torch

from wavegen.flows import Inverse

CASES = {}
for path in sorted((Path(__file__).parent / "cases").glob("*.py")):
    family = runpy.run_path(str(path))["CASES"]
    assert not CASES.keys() & family.keys(), f"{path} names a case that another family has"
    CASES.update(family)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(request):
    torch.manual_seed(0)
    entry = CASES[request.param]
    bijection = entry["build"]().double()
    x = entry.get("x", lambda: normal(3, 4))()
    context = entry.get("context", lambda: normal(3, 2))()
    # layers that take their first values from a batch (ActNorm) have seen one
    bijection.train()(x, context)
    return bijection.eval(), x, context


def perturb(bijection):
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


def test_round_trip_and_cancelling_log_dets(case):
    bijection, x, context = case
    z, log_det = bijection(x, context)
    returned, inverse_log_det = bijection.inverse(z, context)
    assert log_det.shape == x.shape[: x.dim() - bijection.event_dim]
    torch.testing.assert_close(returned, x, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-9, atol=1e-9)


def test_shapes_are_told_beforehand(case):
    bijection, x, context = case
    z, _ = bijection(x, context)
    assert bijection.forward_shape(x.shape[1:]) == z.shape[1:]
    assert bijection.inverse_shape(z.shape[1:]) == x.shape[1:]
    assert z.dim() - x.dim() == bijection.latent_event_dim - bijection.event_dim


def jacobians(function, value, context):
    """The Jacobian of every member's flattened event, ``(batch, D, D)``, by autograd."""

    def of_member(index):
        its_context = None if context is None else context[index : index + 1]
        matrix = torch.autograd.functional.jacobian(
            lambda v: function(v[None], its_context)[0].flatten(), value[index]
        )
        return matrix.reshape(value[index].numel(), value[index].numel())

    return torch.stack([of_member(index) for index in range(len(value))])


def summed(log_det):
    return log_det.flatten(1).sum(1) if log_det.dim() > 1 else log_det


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_det_is_that_of_the_autograd_jacobian(case, direction):
    bijection, x, context = case
    perturb(bijection)
    value = x if direction == "forward" else bijection(x, context)[0].detach()
    function = getattr(bijection, direction)
    expected = torch.linalg.slogdet(jacobians(function, value, context))[1]
    torch.testing.assert_close(expected, summed(function(value, context)[1]), rtol=0, atol=1e-8)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_reach_input_and_every_parameter(case, direction):
    bijection, x, context = case
    perturb(bijection)
    value = (x if direction == "forward" else bijection(x, context)[0]).detach().requires_grad_()
    result, log_det = getattr(bijection, direction)(value, context)
    ((result * torch.randn_like(result)).sum() + (log_det * torch.randn_like(log_det)).sum()).backward()
    assert value.grad.abs().min() > 0
    for name, parameter in bijection.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_against_finite_differences(case, direction):
    """Of value and log-det, to input, context and every parameter: what an implicit gradient gets wrong
    first.
    """
    bijection, x, context = case
    perturb(bijection)
    value = (x if direction == "forward" else bijection(x, context)[0]).detach().clone().requires_grad_()
    inputs = [value, *bijection.parameters()]
    if context is not None:
        inputs.append(context.requires_grad_())
    with torch.no_grad():
        weights = [torch.randn_like(part) for part in getattr(bijection, direction)(value, context)]

    def loss():
        parts = getattr(bijection, direction)(value, context)
        return sum((weight * part).sum() for weight, part in zip(weights, parts, strict=True))

    gradients = torch.autograd.grad(loss(), inputs, allow_unused=True, materialize_grads=True)
    directions = [torch.randn_like(tensor) for tensor in inputs]
    slope = sum((gradient * along).sum() for gradient, along in zip(gradients, directions, strict=True))
    step = 1e-6
    with torch.no_grad():
        ends = []
        for sign in (1, -1):
            for tensor, along in zip(inputs, directions, strict=True):
                tensor.add_(sign * step * along)
            ends.append(loss())
            for tensor, along in zip(inputs, directions, strict=True):
                tensor.sub_(sign * step * along)
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_inv_reads_the_other_way_and_back(case):
    bijection, x, context = case
    if isinstance(bijection, Inverse):
        assert bijection.inv is bijection.bijection
    else:
        assert bijection.inv.inv is bijection
    z, log_det = bijection(x, context)
    through_inv, inv_log_det = bijection.inv.inverse(x, context)
    assert torch.equal(z, through_inv) and torch.equal(log_det, inv_log_det)


def test_save_and_load(case, request):
    bijection, x, context = case
    perturb(bijection)
    file = io.BytesIO()
    torch.save(bijection.state_dict(), file)
    file.seek(0)
    torch.manual_seed(99)
    fresh = CASES[request.node.callspec.params["case"]]["build"]().double().eval()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for before, after in zip(bijection(x, context), fresh(x, context), strict=True):
        assert torch.equal(before, after)


def test_repr_names_the_class(case):
    bijection, _, _ = case
    assert type(bijection).__name__ in repr(bijection)


def test_float32_round_trip(case, request):
    """Both directions' rounding is amplified by at most the condition number of the map at x."""
    bijection, x, context = case
    condition = torch.linalg.cond(jacobians(bijection, x, context)).max().item()
    bijection, x = bijection.float(), x.float()
    context = None if context is None else context.float()
    z, log_det = bijection(x, context)
    assert z.dtype == log_det.dtype == torch.float32 and z.isfinite().all() and log_det.isfinite().all()
    error = (bijection.inverse(z, context)[0] - x).abs().max().item()
    tolerance = CASES[request.node.callspec.params["case"]].get("float32_tolerance", 1e-5)
    assert error <= tolerance * condition * max(1.0, x.abs().max().item())


def test_an_empty_batch_has_an_empty_result(case):
    bijection, x, context = case
    context = None if context is None else context[:0]
    z, log_det = bijection(x[:0], context)
    returned, inverse_log_det = bijection.inverse(z, context)
    assert z.shape[1:] == bijection.forward_shape(x.shape[1:]) and returned.shape == x[:0].shape
    assert len(log_det) == len(inverse_log_det) == 0


def test_batches_of_any_rank(case):
    """None or two batch dimensions, where no context says which member is which."""
    bijection, x, context = case
    if context is not None:
        return
    z, log_det = bijection(x)
    one, its_log_det = bijection(x[0])
    torch.testing.assert_close((one, its_log_det), (z[0], log_det[0]))
    torch.testing.assert_close(bijection.inverse(one)[0], x[0])
    two = bijection(torch.stack([x, x]))
    torch.testing.assert_close(two, (torch.stack([z, z]), torch.stack([log_det, log_det])))
    torch.testing.assert_close(bijection.inverse(two[0])[0], torch.stack([x, x]))


def test_vmap_is_the_batch(case):
    bijection, x, context = case
    with torch.no_grad():
        z, _ = bijection(x, context)
        for direction, value, expected in (("forward", x, z), ("inverse", z, x)):
            function = getattr(bijection, direction)
            if context is None:
                mapped = torch.func.vmap(lambda v, f=function: f(v[None])[0][0])(value)
            else:
                mapped = torch.func.vmap(lambda v, c, f=function: f(v[None], c[None])[0][0])(value, context)
            torch.testing.assert_close(mapped, expected)


def test_half_precision_computes_nets_in_half_and_maps_in_float32(case):
    bijection, x, context = case
    bijection.bfloat16()
    x = x.bfloat16().float()
    for its_context in (context, None if context is None else context.bfloat16()):
        z, log_det = bijection(x, its_context)
        assert z.dtype == log_det.dtype == torch.float32
        assert bijection.inverse(z, its_context)[0].isfinite().all()
