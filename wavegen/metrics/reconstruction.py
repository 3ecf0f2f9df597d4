"""How exactly a flow returns what went through it."""

import torch
from torch import Tensor

from wavegen.flows import Bijection, Chain, Compose, Flow, Transform
from wavegen.flows.bijection import Context


def separate(transform: Transform) -> tuple[Transform | None, Transform]:
    """What comes before the first bijection (dequantisation; None where nothing does), and the rest."""
    if isinstance(transform, Bijection) or not isinstance(transform, Chain):
        return None, transform
    members = list(transform.members)
    count = next((i for i, member in enumerate(members) if isinstance(member, Bijection)), len(members))
    if count == 0:
        return None, transform
    rest = members[count:]
    series = Compose if all(isinstance(member, Bijection) for member in rest) else Chain
    return Chain(*members[:count]), series(*rest)


@torch.no_grad()
def reconstruction_error(flow: Flow, x: Tensor, context: Context = None) -> Tensor:
    """max |y − g(f(y))| of every event, ``(batch,)``.

    y is x as it leaves dequantisation, in units of the whole range of levels: the noise that was added on
    the way is no error of the flow. Without dequantisation y is x.
    """
    before, flow_proper = separate(flow.bijection)
    y = x if before is None else before(x, context)[0]
    z, _ = flow_proper(y, context)
    returned, _ = flow_proper.inverse(z, context)
    return (y - returned).abs().flatten(1).amax(1)
