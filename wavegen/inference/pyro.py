"""Flows in Pyro programs: as distributions of sample sites, and as the guide of all of them.

Needs the extra ``pyro`` (``pip install wavegen[pyro]``); nothing else of wavegen does.

    def model(x):                                    # a flow as likelihood
        pyro.module("flow", flow)
        with pyro.plate("data", len(x)):
            pyro.sample("x", PyroFlow(flow()), obs=x)

    guide = FlowGuide(model, flow=iaf(features=3))   # a flow as posterior
    SVI(model, guide, Adam({"lr": 1e-2}), Trace_ELBO())
"""

from collections.abc import Callable
from typing import Any

import torch
from pyro.distributions import TorchDistribution
from pyro.infer.autoguide import AutoContinuous
from torch import Tensor, nn
from torch.distributions import constraints
from torch.types import _size

from wavegen.errors import UserError
from wavegen.flows.flow import FlowDistribution


class PyroFlow(TorchDistribution):
    """A flow at one context as a distribution of Pyro: it expands in plates, masks, scales, ``to_event``.

    A draw remembers its log-density, found in the same pass, and ``log_prob`` of that very tensor returns
    it: an inverse autoregressive guide is sampled *and* scored in one pass, where the density of a foreign
    value takes one per element. Where the flow is a bound (``is_bound``: dequantisation), so is ``log_prob``,
    and an ELBO with it is a bound still.

    Shapes: batch shape that of the flow's distribution (() or the context's), event shape its own.

    Args:
        distribution: what a ``Flow`` returns for a context.
        support: of one event, where it is not all real vectors of the event's shape; Pyro's Hamiltonian
            samplers and automatic guides choose their coordinates by it.

    Raises:
        UserError: for anything but a flow's distribution.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(
        self, distribution: FlowDistribution, *, support: constraints.Constraint | None = None
    ) -> None:
        if not isinstance(distribution, FlowDistribution):
            raise UserError(
                f"PyroFlow: expected the distribution that a Flow returns, as in PyroFlow(flow(context)), "
                f"got {type(distribution).__name__}"
            )
        event_dim = len(distribution.event_shape)
        self.distribution = distribution
        self._support = constraints.independent(constraints.real, event_dim) if support is None else support
        self._drawn: tuple[Tensor, Tensor] | None = None
        super().__init__(distribution.batch_shape, distribution.event_shape, validate_args=False)

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        return self._support

    def expand(self, batch_shape: _size, _instance: Any = None) -> "PyroFlow":
        """The same law for every element of a larger batch; draws are independent across it."""
        batch_shape = torch.Size(batch_shape)
        pairs = zip(reversed(self.batch_shape), reversed(batch_shape), strict=False)
        if len(self.batch_shape) > len(batch_shape) or any(own not in (1, wanted) for own, wanted in pairs):
            raise UserError(
                f"PyroFlow: expected a batch shape to which {tuple(self.batch_shape)} broadcasts, got "
                f"{tuple(batch_shape)}"
            )
        expanded = PyroFlow(self.distribution, support=self._support)
        expanded._batch_shape = batch_shape
        return expanded

    def rsample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        noise = self.distribution.base.expand(self.batch_shape)
        z = noise.rsample(torch.Size(sample_shape))
        x, log_det = self.distribution.generate(z)
        self._drawn = x, noise.log_prob(z) - log_det
        return x

    @torch.no_grad()
    def sample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._drawn is not None and self._drawn[0] is value:
            log_prob = self._drawn[1]
            # what was drawn without a graph cannot stand for a density that is differentiated
            if log_prob.requires_grad or not torch.is_grad_enabled():
                return log_prob
        rank = len(self.event_shape)
        lead = torch.broadcast_shapes(value.shape[: value.dim() - rank], self.batch_shape)
        return self.distribution.log_prob(value.expand(lead + value.shape[value.dim() - rank :]))


class FlowGuide(AutoContinuous):
    """A guide whose posterior over all latent variables at once is a flow.

    Pyro lays the model's continuous latents, mapped to unconstrained space, side by side in one vector, in
    the order in which the model names them; the flow is its density, dependences between them included.
    Pyro registers the flow's parameters. A flow that generates in one pass (planar, coupling, IAF) costs
    one pass a step.

    For one posterior per datum, write the guide by hand: inside the plate
    ``pyro.sample("z", PyroFlow(flow(encoder(x))))``, after ``pyro.module("flow", flow)``.

    Args:
        model: a Pyro model, its latents continuous and of fixed shape.
        flow: events of shape ``(latent_dim,)``, no context.

    Raises:
        UserError: when first run, where the flow's events are not of the latents' number.
    """

    def __init__(self, model: Callable, *, flow: nn.Module) -> None:
        super().__init__(model)
        self.flow = flow

    def get_posterior(self, *args: Any, **kwargs: Any) -> PyroFlow:
        posterior = PyroFlow(self.flow())
        if posterior.event_shape != (self.latent_dim,):
            raise UserError(
                f"FlowGuide: the model has {self.latent_dim} latent dimensions, expected a flow with events "
                f"of shape ({self.latent_dim},), got {tuple(posterior.event_shape)}"
            )
        return posterior
