"""Tries every method of a density once, before it is trained."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.models.density import DensityModel, offers
from wavegen.training.trial import in_words, require_call, trial

MAX_EVENTS = 1000  # the first ones, from which those that are tried are chosen
WEIGHTS = [0.0, 1.0]
# Of shapes that do not fit and values outside a support; other exceptions are defects of the model's code.
MISFITS = (ValueError, IndexError, RuntimeError)


def check_density(model: DensityModel, data: ImageSet | TableSet, context: NoContext | LabelContext) -> None:
    """Run the density on two training events: its distribution, and what else it offers.

    The model, its modes and the random state are left as they were: it is tried in evaluation mode.

    Raises:
        UserError: if a method has other arguments, fails, or returns anything else than the table in
            ``models/density.py`` promises; of the model.
    """
    x, encoded = events(data, context)
    with trial(cast(nn.Module, model)):
        Trial(model, x, encoded).run()


def events(data: ImageSet | TableSet, context: NoContext | LabelContext) -> tuple[Tensor, Context]:
    """Two training events, one with the highest value and one with the lowest, and their context."""
    values = data.train[:MAX_EVENTS].flatten(1)
    chosen = torch.stack([values.amax(1).argmax(), values.amin(1).argmin()])
    labels = None if data.labels is None else data.labels["train"][chosen]
    return data.train[chosen].float(), context.encode(labels, data.num_classes)


class Trial:
    """The methods of a density on events x with their context."""

    def __init__(self, model: DensityModel, x: Tensor, context: Context) -> None:
        self.model, self.x, self.context = model, x, context
        self.name = type(model).__name__

    def run(self) -> None:
        distribution = self.distribution("forward", "forward(context)", self.context)
        if not isinstance(getattr(self.model, "is_bound", False), bool):
            kind = in_words(self.model.is_bound)  # type: ignore[attr-defined]
            raise UserError(f"{self.name}: is_bound is {kind}, expected true or false")
        self.log_prob(distribution)
        self.sample("forward(context)", distribution, self.x.shape)
        latents = self.latents()
        if offers(self.model, "decode"):
            for z in latents:
                self.expect(
                    self.call("decode", "decode(z, context)", z, self.context), "decode", self.x.shape
                )
        if offers(self.model, "reconstruct"):
            self.pair("reconstruct", "reconstruct(x, context)", self.x)
        if offers(self.model, "reconstruct_draws") and latents:
            self.pair("reconstruct_draws", "reconstruct_draws(z, context)", latents[-1])
        if offers(self.model, "interpolate"):
            self.interpolate()

    def log_prob(self, distribution: Distribution) -> None:
        name = f"{self.name}: log_prob(x) of forward(context)"
        value = self.guarded(name, distribution.log_prob, self.x)
        shape = self.x.shape[:1]
        if not (isinstance(value, Tensor) and value.shape == shape):
            advice = (
                "; torch.distributions.Independent sums over an event" if is_batch_first(value, shape) else ""
            )
            raise UserError(
                f"{name} returns {in_words(value)}, expected the shape {tuple(shape)}, one number for each "
                f"event of shape {tuple(self.x.shape[1:])}{advice}"
            )
        if not torch.isfinite(value).all():
            raise UserError(f"{name} is {value.tolist()} for training events, expected finite numbers")

    def latents(self) -> list[Tensor]:
        """Latents of the events, and draws of the prior, as far as the model has them."""
        found = []
        if offers(self.model, "latents"):
            z = self.call("latents", "latents(x, context)", self.x, self.context)
            if not (isinstance(z, Tensor) and z.shape[:1] == self.x.shape[:1]):
                raise UserError(
                    f"{self.name}: latents returns {in_words(z)}, expected a tensor of shape "
                    f"({len(self.x)}, …), as many as events"
                )
            found.append(z)
        if offers(self.model, "prior"):
            prior = self.distribution("prior", "prior(context)", self.context)
            shape = found[0].shape if found else None
            found.append(self.sample("prior(context)", prior, shape))
        return found

    def interpolate(self) -> None:
        ends = self.x, self.x.flip(0)
        contexts = self.context, None if self.context is None else cast(Tensor, self.context).flip(0)
        call = "interpolate(first, last, weights, context, last_context)"
        between = self.call("interpolate", call, *ends, WEIGHTS, *contexts)
        self.expect(between, "interpolate", torch.Size([len(WEIGHTS), *self.x.shape]))

    def distribution(self, name: str, call: str, context: Context) -> Distribution:
        given = self.call(name, call, context)
        if not isinstance(given, Distribution):
            raise UserError(
                f"{self.name}: {name} returns {in_words(given)}, expected a torch.distributions.Distribution"
            )
        return given

    def sample(self, what: str, distribution: Distribution, shape: torch.Size | None) -> Tensor:
        """One draw for each event; ``shape`` is None where any is right."""
        size = torch.Size([] if distribution.batch_shape else [len(self.x)])
        name = f"{self.name}: sample({tuple(size)}) of {what}"
        drawn = self.guarded(name, distribution.sample, size)
        if not isinstance(drawn, Tensor) or drawn.shape != (drawn.shape if shape is None else shape):
            wanted = "a tensor" if shape is None else f"the shape {tuple(shape)}"
            raise UserError(f"{name} returns {in_words(drawn)}, expected {wanted}")
        return drawn

    def pair(self, name: str, call: str, given: Tensor) -> None:
        made = self.call(name, call, given, self.context)
        if not (isinstance(made, tuple | list) and len(made) == 2):
            raise UserError(
                f"{self.name}: {name} returns {in_words(made)}, expected two tensors: what is encoded, and "
                "its reconstruction"
            )
        for part in made:
            self.expect(part, name, self.x.shape)

    def expect(self, value: Any, name: str, shape: torch.Size) -> None:
        if not (isinstance(value, Tensor) and value.shape == shape):
            raise UserError(
                f"{self.name}: {name} returns {in_words(value)}, expected the shape {tuple(shape)}"
            )

    def call(self, name: str, call: str, *arguments: Any) -> Any:
        """The result of a method, which must take these arguments."""
        require_call(self.name, getattr(self.model, name), arguments, call)
        function = self.model if name == "forward" else getattr(self.model, name)
        return self.guarded(f"{self.name}: {call}", function, *arguments)

    def guarded(self, name: str, function: Callable, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
        except NotImplementedError as error:
            raise UserError(f"{name} is not implemented, expected a result") from error
        except MISFITS as error:
            reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            raise UserError(
                f"{name} fails, expected a result for events of shape {tuple(self.x.shape)} with values from "
                f"{self.x.min():g} to {self.x.max():g} ({reason})"
            ) from error


def is_batch_first(value: Any, shape: torch.Size) -> bool:
    """Whether a log-probability has one number for each element instead of each event."""
    return isinstance(value, Tensor) and value.dim() > 1 and value.shape[:1] == shape
