"""The composition of several monotone maps of one element."""

from typing import cast

from torch import Tensor, nn

from wavegen.errors import UserError


class Chained(nn.Module):
    """τ = τ_n ∘ … ∘ τ_1, log|dτ/dx| = Σ_i log|dτ_i/dx_i|. Parameters: those of τ_1 | … | τ_n.

    ``forward`` applies the arguments in the given order, ``inverse`` in reverse order. The coupling of
    Flow++ uses ``Chained(MixtureOfLogisticsLogit(K, floor), Affine())``; one conditioner computes the
    parameters of both maps. The cost is the sum of the costs of the maps.

    Shapes: ``x`` any, ``parameters`` ``x.shape + (num_parameters,)``. Raises ``UserError`` without any map.

    Ho et al. 2019, Flow++ (arXiv 1902.00275), section 3.2.
    """

    def __init__(self, *transforms: nn.Module) -> None:
        super().__init__()
        if not transforms:
            raise UserError("Chained: expected at least one transform, got none")
        self.transforms = nn.ModuleList(transforms)
        self.num_parameters = sum(transform.num_parameters for transform in transforms)

    def _with_parameters(self, parameters: Tensor) -> list[tuple[nn.Module, Tensor]]:
        sizes = [transform.num_parameters for transform in self.transforms]
        return list(zip(self.transforms, parameters.split(sizes, -1), strict=True))

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        value, total = x, cast(Tensor, 0)  # a tensor once the first map is added
        for transform, its_parameters in self._with_parameters(parameters):
            value, log_derivative = transform(value, its_parameters)
            total = total + log_derivative
        return value, total

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        value, total = z, cast(Tensor, 0)  # likewise
        for transform, its_parameters in reversed(self._with_parameters(parameters)):
            value, log_derivative = transform.inverse(value, its_parameters)
            total = total + log_derivative
        return value, total
