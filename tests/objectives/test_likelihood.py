import torch

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.objectives.likelihood import negative_log_likelihood


def test_mean_over_the_mask_of_the_exact_mass(make_teacher, make_context):
    teacher, context = make_teacher(LogisticMixtureHead(2, -9.0)), make_context(2, 4)
    waveform = torch.round(3000 * torch.randn(2, 16, dtype=torch.float64)) / 32768
    lengths = torch.tensor([16, 10])
    mask = torch.arange(16) < lengths[:, None]
    nats = negative_log_likelihood(teacher, waveform, context, mask)
    torch.testing.assert_close(nats, -teacher(context, lengths).log_prob(waveform).sum() / 26)
