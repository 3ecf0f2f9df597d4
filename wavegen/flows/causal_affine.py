"""The base of bijections of sequences that are affine in each current element."""

from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.flows.bijection import Bijection


class CausalAffine(Bijection):
    r"""x ↔ z with :math:`x_t = \mu_t(x_{<t}, c) + S_t(c)\, z_t`: the scale depends on the context only.

    .. math:: \log\Bigl|\det\frac{\partial z}{\partial x}\Bigr| = -\sum_t \log S_t

    Subclasses have :meth:`normalise` and :meth:`generate`, which give :math:`\log S` of each element. A
    series of such maps is such a map, and its log-scales are the sums (:class:`CausalAffineSeries`).

    Shapes: ``(batch, time)``.
    """

    event_dim = 1

    @property
    def order(self) -> int:
        r"""The number of past elements :math:`x_{t-1}, x_{t-2}, …` on which :math:`\mu_t` depends."""
        return 0

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        r"""z and :math:`\log S`, ``(batch, time)`` each."""
        raise NotImplementedError

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        r"""x and :math:`\log S`, ``(batch, time)`` each."""
        raise NotImplementedError

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        z, log_scale = self.normalise(x, context)
        return z, -log_scale.sum(-1)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x, log_scale = self.generate(z, context)
        return x, log_scale.sum(-1)


class CausalAffineSeries(CausalAffine):
    """The members in series: ``forward`` applies them in the given order, ``inverse`` in reverse order."""

    def __init__(self, *members: nn.Module) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def order(self) -> int:
        return sum(member.order for member in self.members)

    def normalise(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        z, total = self.members[0].normalise(x, context)
        for member in self.members[1:]:
            z, log_scale = member.normalise(z, context)
            total = total + log_scale
        return z, total

    def generate(self, z: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        x, total = self.members[-1].generate(z, context)
        for member in reversed(self.members[:-1]):
            x, log_scale = member.generate(x, context)
            total = total + log_scale
        return x, total
