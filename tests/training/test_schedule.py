"""The learning rate by progress, against torch's schedule that counts steps."""

import functools

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.training.schedule import OneCycle


def rates_of_torch(num_steps, warmup, initial, final):
    """The highest rate is 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=num_steps,
        pct_start=warmup,
        div_factor=1 / initial,
        final_div_factor=initial / final,
        cycle_momentum=False,
    )
    rates = []
    for _ in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def rates_by_progress(num_steps, **shares):
    schedule = OneCycle(**shares)
    return [schedule((step + 1) / num_steps, 1 / num_steps) for step in range(num_steps)]


@given(
    num_steps=st.integers(1, 400),
    warmup=st.floats(0.0, 0.9, allow_subnormal=False),
    initial=st.floats(1e-3, 1.0),
    final=st.floats(1e-6, 1.0),
)
def test_of_steps_alone_it_is_the_schedule_of_torch(num_steps, warmup, initial, final):
    assume(abs(warmup * num_steps - 1) > 1e-9)  # there torch divides by zero, see below
    expected = rates_of_torch(num_steps, warmup, initial, final)
    mine = rates_by_progress(num_steps, warmup=warmup, initial=initial, final=final)
    assert mine == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("warmup, num_steps", [(0.05, 20), (0.1, 10), (0.05, 300), (0.05, 380), (0.1, 1200)])
def test_as_configured_it_is_that_to_rounding(warmup, num_steps):
    mine = rates_by_progress(num_steps, warmup=warmup, initial=0.05, final=0.001)
    if warmup * num_steps == 1:  # a warm-up of no length
        assert mine[0] == 1
        with pytest.raises(ZeroDivisionError):
            rates_of_torch(num_steps, warmup, 0.05, 0.001)
    else:
        assert mine == pytest.approx(rates_of_torch(num_steps, warmup, 0.05, 0.001), rel=1e-12)
    assert mine[-1] == pytest.approx(0.001, rel=1e-12)


def test_it_rises_and_falls_through_its_three_rates():
    rate = functools.partial(OneCycle(warmup=0.2, initial=0.1, final=0.01), first_progress=0.1)
    assert rate(0.1) == pytest.approx(0.1)
    assert rate(0.15) == pytest.approx((0.1 + 1) / 2)
    assert rate(0.2) == 1
    assert rate(0.6) == pytest.approx((1 + 0.01) / 2)
    assert rate(1.0) == pytest.approx(0.01)
    steps = [rate(0.1 + 0.9 * n / 1000) for n in range(1001)]
    top = steps.index(max(steps))
    assert steps[:top] == sorted(steps[:top]) and steps[top:] == sorted(steps[top:], reverse=True)


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_a_training_too_short_to_warm_up_falls_from_the_start(num_steps):
    rates = rates_by_progress(num_steps, warmup=0.05, initial=0.05, final=0.001)
    assert rates == sorted(rates, reverse=True) and rates[-1] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ({"warmup": 1.0}, "schedule.warmup must be a share of the training, at least 0 and below 1, got 1.0"),
        ({"warmup": -0.1}, "schedule.warmup .* got -0.1"),
        ({"warmup": float("nan")}, "schedule.warmup .* got nan"),
        ({"initial": 2}, "schedule.initial must be a share of the highest rate, 0 to 1, got 2"),
        ({"final": -1e-3}, "schedule.final .* got -0.001"),
    ],
)
def test_what_is_no_share_is_named(shares, reason):
    with pytest.raises(UserError, match=reason):
        OneCycle(**({"warmup": 0.1, "initial": 0.1, "final": 0.1} | shares))
