import math

import torch

from wavegen.objectives.reduction import masked_mean, scored_part


def test_what_is_masked_out_may_be_anything_and_gets_no_gradient():
    values = torch.tensor([[1.0, math.nan, 3.0], [math.inf, 5.0, -math.inf]], requires_grad=True)
    mask = torch.tensor([[True, False, True], [False, True, False]])
    mean = masked_mean(values, mask)
    assert mean == 3
    mean.backward()
    torch.testing.assert_close(values.grad, mask / 3)


def test_leading_dimensions_share_the_mask():
    values = torch.arange(12.0).view(2, 2, 3)
    mask = torch.tensor([[True, True, False], [False, False, True]])
    assert masked_mean(values, mask) == values[:, mask].mean()


def test_nothing_to_score_is_zero():
    assert masked_mean(torch.full((2, 3), math.nan), torch.zeros(2, 3, dtype=torch.bool)) == 0


def test_the_scored_part_is_what_any_row_scores_and_silent_where_this_one_does_not():
    waveform = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, torch.nan, 8.0, 9.0]])
    mask = torch.tensor([[False, True, True, False, False], [False, False, False, True, False]])
    assert torch.equal(scored_part(waveform, mask), torch.tensor([[2.0, 3.0, 0.0], [0.0, 0.0, 8.0]]))
    assert torch.equal(scored_part(waveform, mask & False), torch.zeros(2, 1))
