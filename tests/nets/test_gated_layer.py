"""The layer with a gradient of its own against the one that autograd records, operation by operation."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from wavegen.nets.gated_layer import LayerConditioning, LayerWeights, gated_layer, plain_layer

RESIDUAL, HALF = 3, 4


def arguments(batch, time, kernel_size, dilation, skip, conditioning, dtype=torch.float64):
    """Stream, skips (or None), conditioning and weights as a flat list, and how to call a layer with it."""

    def normal(*shape):
        return (0.7 * torch.randn(*shape, dtype=torch.float64)).to(dtype).requires_grad_()

    hop_samples = 5
    frames = -(-time // hop_samples) + 1
    stream = normal(batch, time, RESIDUAL)
    skips = normal(batch, time, skip) if skip else None
    parts = dict.fromkeys(("samples", "weight", "frames", "kernel"))
    if "samples" in conditioning:
        parts |= {"samples": normal(batch, time, 2), "weight": normal(2 * HALF, 2)}
    if "frames" in conditioning:
        parts |= {"frames": normal(batch, frames + 2, 2 * HALF), "kernel": normal(3, hop_samples)}
    weights = [normal(2 * HALF, RESIDUAL, kernel_size), normal(2 * HALF)]
    weights += [normal(RESIDUAL + skip, HALF, 1), normal(RESIDUAL + skip)]
    flat = [stream, skips, *parts.values(), *weights]

    def call(layer, *tensors, products=dtype):
        stream, skips, *rest = tensors
        own = stream.clone(), None if skips is None else skips.clone()  # they are overwritten
        results = layer(*own, LayerConditioning(*rest[:4]), LayerWeights(*rest[4:], dilation), products)
        return tuple(result for result in results if result is not None)

    return flat, call


shapes = {
    "batch": st.integers(1, 3),
    "time": st.integers(1, 23),
    "kernel_size": st.integers(1, 3),
    "dilation": st.integers(1, 9),
    "skip": st.sampled_from([0, 2]),
    "conditioning": st.sampled_from([(), ("samples",), ("frames",), ("samples", "frames")]),
}


@settings(deadline=None, max_examples=40)
@given(**shapes)
def test_results_and_gradients_are_those_of_the_plain_layer(**shape):
    torch.manual_seed(0)
    flat, call = arguments(**shape)
    given_ = [tensor for tensor in flat if tensor is not None]
    found, expected = call(gated_layer, *flat), call(plain_layer, *flat)
    grads = [torch.randn_like(result) for result in expected]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(found, given_, grads),
        torch.autograd.grad(expected, given_, grads),
        rtol=1e-10,
        atol=1e-10,
    )


@pytest.mark.parametrize("skip", [0, 2])
def test_the_gradient_is_that_of_differences(skip):
    torch.manual_seed(0)
    flat, call = arguments(2, 7, 2, 2, skip, ("samples", "frames"))
    present = [tensor is not None for tensor in flat]

    def of_present(*tensors):
        rest = iter(tensors)
        return call(gated_layer, *[next(rest) if there else None for there in present])

    assert torch.autograd.gradcheck(of_present, [tensor for tensor in flat if tensor is not None])


def test_a_first_layer_begins_the_sum_of_skips():
    torch.manual_seed(0)
    flat, call = arguments(2, 9, 3, 2, 2, ())
    flat[1] = None
    torch.testing.assert_close(call(gated_layer, *flat), call(plain_layer, *flat))


def relative_error(found, exact):
    found, exact = (torch.cat([t.double().flatten() for t in each]) for each in (found, exact))
    return ((found - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize("products, bound", [(torch.float32, 1e-6), (torch.bfloat16, 0.01)])
def test_error_against_float64_is_that_of_the_precision_and_no_worse_than_the_plain_layers(products, bound):
    torch.manual_seed(0)
    flat, call = arguments(2, 500, 3, 4, 2, ("samples", "frames"), torch.float32)
    for place in (2, 4):  # what is upsampled or added comes in the products' precision
        flat[place] = flat[place].detach().to(products).requires_grad_()
    exact = [tensor.detach().double().requires_grad_() for tensor in flat]
    grads = [torch.randn(2, 500, RESIDUAL), torch.randn(2, 500, 2)]
    results = call(plain_layer, *exact, products=torch.float64)
    truth = results, torch.autograd.grad(results, exact, [grad.double() for grad in grads])
    errors = {}
    for layer in (gated_layer, plain_layer):
        results = call(layer, *flat, products=products)
        assert all(result.dtype == torch.float32 for result in results)
        found = results, torch.autograd.grad(results, flat, grads)
        errors[layer] = [relative_error(f, e) for f, e in zip(found, truth, strict=True)]
    for own, plain in zip(errors[gated_layer], errors[plain_layer], strict=True):
        assert own < bound
        assert own < 1.2 * plain + 1e-7


def kept_bytes(run):
    """Bytes that a computation keeps for its gradient, each tensor counted once."""
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = run()
    return sum(kept.values()), result


def test_less_is_kept_than_by_autograd_and_least_where_weights_are_frozen():
    torch.manual_seed(0)
    flat, call = arguments(2, 400, 3, 4, 2, ("frames",), torch.float32)
    own, _ = kept_bytes(lambda: call(gated_layer, *flat))
    plain, _ = kept_bytes(lambda: call(plain_layer, *flat))
    frozen = [flat[0], flat[1], *[None if t is None else t.detach() for t in flat[2:]]]
    without_weights, results = kept_bytes(lambda: call(gated_layer, *frozen))
    assert without_weights < own < plain
    assert own - without_weights >= 4 * 2 * 400 * RESIDUAL, "a frozen layer does not keep its input"
    results[0].sum().backward()
    assert flat[0].grad is not None and all(tensor.grad is None for tensor in flat[6:])


def test_it_is_differentiable_once():
    flat, call = arguments(1, 5, 2, 1, 0, ())
    (gradient,) = torch.autograd.grad(call(gated_layer, *flat)[0].square().sum(), flat[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
