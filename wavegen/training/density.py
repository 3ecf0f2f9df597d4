"""Maximum-likelihood training of a density of images or of the rows of a table."""

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn

from wavegen.data.context import LabelContext, NoContext
from wavegen.metrics.reconstruction import reconstruction_error
from wavegen.models.density import DensityModel, offers
from wavegen.training.density_data import Batch
from wavegen.training.module import TrainingModule


class DensityTraining(TrainingModule):
    """Minimises −log p(x | context), or its bound; logs it on train and dev.

    If the model can reconstruct, the largest reconstruction error over the dev batches is logged too. It
    shows when the inverse of a flow becomes inaccurate while the likelihood still improves.

    Args:
        model: the density.
        context: encodes the labels that condition the density.
        num_classes: of the data's labels.
        cost: maps log-probabilities in nats to what is minimised: bits per dimension, nats.
        cost_name: its name in the logs.
    """

    def __init__(
        self,
        *,
        model: DensityModel,
        context: NoContext | LabelContext,
        num_classes: int,
        cost: Callable[[Tensor], Tensor],
        cost_name: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.context, self.num_classes = model, context, num_classes
        self.cost, self.cost_name = cost, cost_name

    def mean_cost(self, batch: Batch) -> Tensor:
        context = self.context.encode(batch.labels, self.num_classes)
        return self.cost(self.model(context).log_prob(batch.x.float())).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        cost = self.check_finite(self.cost_name.replace("_", " "), self.mean_cost(batch))
        self.log_all("train", {self.cost_name: cost.detach()}, len(batch.x))
        self.log("train_cost", cost.detach(), prog_bar=True, logger=False)
        return cost

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor | int]:
        cost, size = self.mean_cost(batch), len(batch.x)
        self.log_all("dev", {self.cost_name: cost}, size)
        self.log("dev_cost", cost, prog_bar=True, logger=False, sync_dist=True, batch_size=size)
        if offers(self.model, "reconstruct"):
            context = self.context.encode(batch.labels, self.num_classes)
            error = reconstruction_error(cast(nn.Module, self.model), batch.x.float(), context).max()
            self.log("dev/reconstruction_error", error, reduce_fx="max", sync_dist=True, batch_size=size)
        return {"cost": cost, "size": size}
