"""Flows in Pyro programs: as distributions of sample sites, and as a guide for all latent variables.

Requires the extra ``pyro`` (``pip install wavegen[pyro]``); no other module of wavegen requires it.

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
    """A flow with a fixed context as a Pyro distribution; supports plates, masks, scales and ``to_event``.

    A sample is stored with its log-density, which the same pass computes, and ``log_prob`` of that tensor
    returns the stored value. An inverse autoregressive guide is thus sampled *and* scored in one pass; the
    density of any other value takes one pass per element. If the flow is a bound (``is_bound``, with
    dequantisation), ``log_prob`` is a bound too, and so is an ELBO with it.

    Shapes: the batch shape is that of the flow's distribution (() or the context's), the event shape its own.

    Args:
        distribution: the result of a ``Flow`` for a context.
        support: of one event, if it is not all real vectors of the event's shape. Pyro's Hamiltonian
            samplers and automatic guides choose their coordinates by it.

    Raises:
        UserError: if ``distribution`` is not that of a flow.
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
        """The same distribution for every element of a larger batch, with independent samples."""
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
            # A value sampled without a graph cannot be used for a density that is differentiated.
            if log_prob.requires_grad or not torch.is_grad_enabled():
                return log_prob
        rank = len(self.event_shape)
        lead = torch.broadcast_shapes(value.shape[: value.dim() - rank], self.batch_shape)
        return self.distribution.log_prob(value.expand(lead + value.shape[value.dim() - rank :]))


class FlowGuide(AutoContinuous):
    """A guide whose posterior over all latent variables at once is a flow.

    Pyro concatenates the model's continuous latents, mapped to unconstrained space, into one vector, in the
    order in which the model samples them. The flow is the density of that vector and includes dependences
    between latents. Pyro registers the parameters of the flow. A flow that generates in one pass (planar,
    coupling, IAF) costs one pass per step.

    For one posterior per datum, write the guide by hand: inside the plate
    ``pyro.sample("z", PyroFlow(flow(encoder(x))))``, after ``pyro.module("flow", flow)``.

    Args:
        model: a Pyro model with continuous latents of fixed shape.
        flow: events of shape ``(latent_dim,)``, no context.

    Raises:
        UserError: at the first run, if the event size of the flow is not the number of latent dimensions.
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
