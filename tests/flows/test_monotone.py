import torch

from wavegen.flows import Logit, Sigmoid


def test_log_det_of_saturated_values_is_exact():
    x = torch.tensor([-300.0, 300.0], dtype=torch.float64)
    _, log_det = Sigmoid()(x)
    torch.testing.assert_close(log_det, torch.full((2,), -300.0, dtype=torch.float64))


def test_the_ends_of_the_interval_stay_finite():
    ends = torch.tensor([0.0, 1.0])
    for z, log_det in (Logit()(ends), Sigmoid().inverse(ends)):
        assert z.isfinite().all() and log_det.isfinite().all()


def test_they_undo_each_other():
    x = torch.randn(100, dtype=torch.float64)
    torch.testing.assert_close(Logit()(Sigmoid()(x)[0])[0], x, rtol=1e-12, atol=1e-12)
