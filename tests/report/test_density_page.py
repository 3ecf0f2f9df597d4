"""The report of a density: sentences and rows follow from the numbers; what was not measured is left out."""

import base64
import re

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.report.density_page import (
    describe,
    duration,
    findings,
    likelihood_rows,
    other_rows,
    write_density_report,
)
from wavegen.report.page import Shown

IMAGES = {
    "test/bits_per_dimension": 1.25,
    "test/bits_per_dimension_low": 1.2,
    "test/bits_per_dimension_high": 1.3,
    "test/num_events": 1200,
    "test/num_noise_draws": 8,
    "baseline/independent_pixels": 2.0,
    "baseline/equal_levels": 8.0,
    "sampling/events_per_second": 1234.5,
}
RECONSTRUCTION = {
    "reconstruction/data": 2e-6,
    "reconstruction/data_num_not_finite": 0,
    "reconstruction/samples_at_0.7": 1e-6,
    "reconstruction/samples_at_0.7_num_not_finite": 0,
    "reconstruction/samples_at_1": 5e-6,
    "reconstruction/samples_at_1_num_not_finite": 0,
}
TRAINING = {
    "training/parameters": 12345,
    "training/steps": 7000,
    "training/best_step": 6500,
    "training/wall_s": 90.0,
    "training/cpu_s": 7200.0,
}
ROWS = {
    "test/nats": -1.5,
    "test/nats_low": -1.6,
    "test/nats_high": -1.4,
    "test/num_events": 30,
    "test/num_noise_draws": 1,
    "baseline/independent_normals": 4.0,
    "sampling/events_per_second": 10.0,
}


def images(shape=(1, 4, 6), **options):
    parts = {part: torch.zeros(size, *shape, dtype=torch.uint8) for part, size in PARTS.items()}
    return ImageSet(**parts, num_levels=4, name="spots", **options)


def rows_of_numbers():
    parts = {part: torch.zeros(size, 3) for part, size in PARTS.items()}
    return TableSet(
        **parts, columns=("a", "b", "c"), offset=torch.zeros(3), scale=torch.ones(3), name="sizes"
    )


PARTS = {"train": 2000, "dev": 3, "test": 5}


@pytest.mark.parametrize(
    ("metrics", "verdict", "text"),
    [
        (
            IMAGES,
            "good",
            "An unseen image costs 1.250 bits per dimension (95 % interval 1.200 to 1.300); with independent "
            "pixels it would cost 2.000.",
        ),
        (IMAGES | {"baseline/independent_pixels": 1.29}, "bad", "it would cost 1.290."),
        (
            ROWS,
            "good",
            "An unseen row costs −1.500 nats (95 % interval −1.600 to −1.400); under one normal distribution "
            "it would cost 4.000.",
        ),
        (ROWS | {"baseline/one_normal": -1.5}, "bad", "it would cost −1.500."),
        ({"test/nats": None}, "bad", "it is not finite"),
        ({}, "bad", "it is not finite"),
    ],
)
def test_the_cost_is_held_against_the_baseline(metrics, verdict, text):
    """Good only where even the interval's upper end lies below it."""
    (finding,) = findings(metrics)
    assert finding.verdict == verdict
    assert text in finding.text


@pytest.mark.parametrize(
    ("changed", "verdict", "text"),
    [
        ({}, "good", "is 2.0e-06 for test data and 5.0e-06 for its own samples"),
        ({"reconstruction/samples_at_1": 0.002}, "bad", "2.0e-03 for its own samples"),
        ({"reconstruction/samples_at_1_num_not_finite": 3}, "bad", "3 events became infinite or NaN"),
        (
            {"reconstruction/data_num_not_finite": 1, "reconstruction/samples_at_1_num_not_finite": 1},
            "bad",
            "2 events became infinite",
        ),
        ({"reconstruction/data_num_not_finite": 1}, "bad", ": 1 event became infinite or NaN"),
        (dict.fromkeys(list(RECONSTRUCTION)[::2]), "bad", "The inverse is not always finite"),
    ],
)
def test_an_inverse_is_judged_by_its_largest_error(changed, verdict, text):
    finding = findings(IMAGES | RECONSTRUCTION | changed)[1]
    assert finding.verdict == verdict
    assert text in finding.text


def test_a_model_without_exact_inverse_or_training_is_told_nothing_of_them():
    assert len(findings(IMAGES)) == 1
    assert len(findings(IMAGES | {"reconstruction/data": 0.1, "reconstruction/data_num_not_finite": 0})) == 1
    assert len(findings(IMAGES | RECONSTRUCTION | TRAINING)) == 3


def test_what_the_training_took_is_said():
    finding = findings(IMAGES | TRAINING)[-1]
    assert finding.verdict == "plain"
    assert finding.text == (
        "12,345 parameters, trained for 7,000 steps in 1.5 min (2.0 h of CPU time); the weights are those of "
        "step 6,500, which had the lowest dev cost."
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (60, "1.0 min"),
        (3599, "60.0 min"),
        (3600, "1.0 h"),
        (9e4, "25.0 h"),
    ],
)
def test_durations_have_a_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_a_row_for_every_likelihood_that_was_measured():
    rows = likelihood_rows(IMAGES, is_bound=True)
    assert [(row.title, row.value, row.interval) for row in rows] == [
        ("Test images", "1.250", "1.200 … 1.300"),
        ("Independent pixels", "2.000", "–"),
        ("Equally probable levels", "8.000", "–"),
    ]
    assert {row.unit for row in rows} == {"bits per dimension"}
    assert rows[0].explanation == (
        "The cost of each value of an unseen image. An upper bound, not the exact value. Over 1,200 events, "
        "8 draws for each."
    )
    assert "events" not in rows[1].explanation
    test, baseline = likelihood_rows(ROWS, is_bound=False)
    assert (test.value, test.interval, test.unit) == ("−1.500", "−1.600 … −1.400", "nats per row")
    assert test.explanation.endswith("Over 30 events.")
    assert baseline.title == "Independent normal columns"
    unmeasured = IMAGES | {"test/bits_per_dimension": None}
    assert [row.value for row in likelihood_rows(unmeasured, is_bound=True)] == [
        "2.000",
        "8.000",
    ]


def test_only_a_bound_is_called_one():
    exact = IMAGES | {"test/num_noise_draws": 1}
    image, *baselines = likelihood_rows(exact, is_bound=False)
    assert image.explanation == "The cost of each value of an unseen image. Over 1,200 events."
    one_draw, *same = likelihood_rows(exact, is_bound=True)
    assert one_draw.explanation.endswith("An upper bound, not the exact value. Over 1,200 events.")
    assert baselines == same and not any("bound" in row.explanation for row in same)
    rows = likelihood_rows(
        ROWS | {"test/nats_importance_weighted": -1.7, "test/num_noise_draws": 3}, is_bound=True
    )
    assert [row.title for row in rows[:2]] == ["Test rows", "Test rows, tighter bound"]
    assert "quantisation" not in " ".join(row.explanation for row in rows)


def test_a_row_for_every_round_trip_and_one_for_speed():
    lost = {"reconstruction/samples_at_1": None, "reconstruction/samples_at_1_num_not_finite": 4}
    rows = other_rows(IMAGES | RECONSTRUCTION | lost)
    assert [(row.title, row.value) for row in rows] == [
        ("Error of test data", "2.0e-06"),
        ("Error of samples at temperature 0.7", "1.0e-06"),
        ("Error of samples at temperature 1", "–"),
        ("Sampling", "1,234"),
    ]
    assert [row.unit for row in rows] == ["of the range of levels"] * 3 + ["events per second"]
    assert rows[2].explanation.endswith("; 4 became infinite or NaN.") and "NaN" not in rows[0].explanation
    assert other_rows(ROWS | RECONSTRUCTION)[0].unit == "standard deviations"
    assert [row.title for row in other_rows(ROWS)] == ["Sampling"]


@pytest.mark.parametrize(
    ("data", "conditional", "text"),
    [
        (images(), False, "Images of spots, 4×6 pixels, 4 levels: "),
        (
            images((3, 4, 6)),
            True,
            "Images of spots, 4×6 pixels in colour, 4 levels, conditioned on the label: ",
        ),
        (images((1, 8, 8), padding=2), False, "Images of spots, 4×4 pixels, 4 levels: "),
        (rows_of_numbers(), False, "Rows of sizes with 3 columns: "),
    ],
)
def test_the_data_are_described_without_their_padding(data, conditional, text):
    assert describe(data, conditional) == text + "2,000 for training, 3 dev, 5 test"


def write(output, *, metrics=IMAGES, figures=(), setup=None):
    setup = {"Seed": "3"} if setup is None else setup
    path = write_density_report(
        output, metrics=metrics, data=images(), conditional=False, is_bound=True, figures=figures, setup=setup
    )
    assert path == output / "report.html"
    return path.read_text(encoding="utf-8")


def embedded(page):
    return [base64.b64decode(content) for content in re.findall(r'src="data:image/png;base64,([^"]*)"', page)]


def test_a_bare_run_has_numbers_and_nothing_else(tmp_path):
    page = write(tmp_path)
    assert "An unseen image costs 1.250" in page and "<dt>Seed</dt><dd>3</dd>" in page
    assert f"Density report: {tmp_path.name}" in page
    assert embedded(page) == [] and "<figure>" not in page
    assert 'id="training"' not in page and "configuration" not in page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_figures_come_in_their_order_and_each_is_there(tmp_path):
    (tmp_path / "figures").mkdir()
    shown = [Shown(f"figures/{name}.png", f"The {name}", f"Caption of {name}.") for name in ("b", "a")]
    for figure in shown:
        (tmp_path / figure.file).write_bytes(figure.title.encode())
    page = write(tmp_path, figures=shown)
    assert embedded(page) == [b"The b", b"The a"]
    assert re.findall(r"<h2>(.*?)</h2>\n<p>(.*?)</p>", page) == [
        ("The b", "Caption of b."),
        ("The a", "Caption of a."),
    ]


def test_curves_and_configuration_are_those_of_the_run(tmp_path):
    with SummaryWriter(str(tmp_path / "tensorboard" / "density")) as writer:
        for step in range(3):
            writer.add_scalar("train/nats", 3.0 - step, step)
    (tmp_path / "config.yaml").write_text("note: <b>&</b>\n", encoding="utf-8")
    page = write(tmp_path)
    assert embedded(page) == [(tmp_path / "figures" / "loss_curves.png").read_bytes()]
    assert 'id="training"' in page and "<pre>note: &lt;b&gt;&amp;&lt;/b&gt;\n</pre>" in page


def test_a_figure_that_is_not_there_leaves_the_last_report(tmp_path):
    (tmp_path / "report.html").write_text("the last one", encoding="utf-8")
    with pytest.raises(FileNotFoundError):
        write(tmp_path, figures=[Shown("figures/none.png", "None", "")])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "the last one"


def test_a_training_without_a_finite_validation_is_told():
    *_, effort = findings(ROWS | TRAINING | {"training/best_step": None})
    assert effort.text.endswith(
        "the weights are those of the last step, because no step had a finite dev cost."
    )


def test_a_baseline_that_is_no_number_leaves_the_cost_unsaid():
    cost, _ = findings(ROWS | TRAINING | {"baseline/one_normal": None})
    assert cost.verdict == "bad" and "could not be measured" in cost.text


def test_one_event_of_one_step_is_not_several():
    effort = findings(ROWS | TRAINING | {"training/steps": 1})[-1]
    assert "trained for 1 step in" in effort.text
    (row, *_) = likelihood_rows(ROWS | {"test/num_events": 1}, is_bound=False)
    assert row.explanation.endswith("Over 1 event.")


def test_a_row_without_an_interval_has_a_dash():
    (row, *_) = likelihood_rows(ROWS | {"test/nats_high": None}, is_bound=False)
    assert (row.value, row.interval) == ("−1.500", "–")
