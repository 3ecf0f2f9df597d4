"""The page of a density model: its sentences, also if a value could not be measured."""

from wavegen.report.density_page import findings, likelihood_rows

METRICS = {
    "test/nats": 2.0,
    "test/nats_low": 1.9,
    "test/nats_high": 2.1,
    "test/num_events": 100,
    "test/num_noise_draws": 1,
    "baseline/independent_normals": 3.0,
    "baseline/one_normal": 2.5,
    "training/parameters": 1234,
    "training/steps": 4000,
    "training/best_step": 1500,
    "training/wall_s": 90.0,
    "training/cpu_s": 12.0,
}


def test_cost_and_effort_are_told():
    cost, effort = findings(METRICS)
    assert cost.verdict == "good"
    assert cost.text == (
        "An unseen row costs 2.000 nats (95 % interval 1.900 to 2.100); under one normal distribution it "
        "would cost 2.500."
    )
    assert effort.text == (
        "1,234 parameters, trained for 4,000 steps in 1.5 min (12.0 s of CPU time); the weights are those of "
        "step 1,500, which had the lowest dev cost."
    )


def test_a_training_without_a_finite_validation_is_told():
    *_, effort = findings(METRICS | {"training/best_step": None})
    assert effort.text.endswith(
        "the weights are those of the last step, because no step had a finite dev cost."
    )


def test_a_baseline_that_is_no_number_leaves_the_cost_unsaid():
    cost, _ = findings(METRICS | {"baseline/one_normal": None})
    assert cost.verdict == "bad" and "could not be measured" in cost.text


def test_a_row_without_an_interval_has_a_dash():
    (row, *_) = likelihood_rows(METRICS | {"test/nats_high": None})
    assert (row.value, row.interval) == ("2.000", "–")
