"""Galleries of the plane: every panel shows the densities, samples and numbers that were given for it."""

import numpy as np
import pytest
from PIL import Image

from wavegen.errors import UserError
from wavegen.report.plane_figures import SHOWN, duality_figure, gallery_figure, nats

EXTENT = 3.0


def density(seed):
    return np.random.default_rng(seed).uniform(0.1, 1, (8, 8))


def samples(seed, count=50):
    return np.random.default_rng(seed).normal(size=(count, 2))


@pytest.fixture
def gallery():
    pictures = {
        "moons": {"models": {"maf": density(1), "my_model": density(2)}},
        "two_rings": {"models": {"maf": 3 * density(3)}},
    }
    metrics = {}
    for seed, (data, picture) in enumerate(pictures.items()):
        picture |= {
            "extent": EXTENT + seed,
            "samples": samples(seed),
            "density": (1 + seed) * density(7 + seed),
        }
        for index, name in enumerate(["data", *picture["models"]]):
            metrics[f"{data}/{name}/log_likelihood"] = -seed - index / 8
            metrics[f"{data}/{name}/log_likelihood_standard_error"] = 0.001 * (1 + index)
    return pictures, metrics


@pytest.fixture
def duality():
    pictures, metrics = {}, {}
    for seed, name in enumerate(["two_crescents", "wave"]):
        fits = {
            way: {"samples": samples(10 * seed + index), "density": density(10 * seed + index)}
            for index, way in enumerate(["forward", "reverse"])
        }
        pictures[name] = {"extent": EXTENT, "samples": samples(99), "density": density(98), "fits": fits}
        for index, way in enumerate(fits):
            metrics[f"{name}/{way}/kl_target_model"] = 1 + seed + index / 10
            metrics[f"{name}/{way}/kl_model_target"] = 1234.5 if seed else -0.0005
    return pictures, metrics


def shown_density(axes):
    (image,) = axes.get_images()
    return np.asarray(image.get_array())


def shown_samples(axes):
    (cloud,) = axes.collections
    return np.asarray(cloud.get_offsets())


def test_a_gallery_shows_each_models_density_under_its_data(tmp_path, drawn, gallery):
    pictures, metrics = gallery
    gallery_figure(pictures, metrics, tmp_path / "gallery.png")
    grid = np.array(drawn[0].axes).reshape(4, 2)
    for column, picture in enumerate(pictures.values()):
        np.testing.assert_array_equal(shown_samples(grid[0, column]), picture["samples"])
        np.testing.assert_array_equal(shown_density(grid[1, column]), picture["density"])
        for row, model in enumerate(["maf", "my_model"], start=2):
            if model in picture["models"]:
                np.testing.assert_array_equal(shown_density(grid[row, column]), picture["models"][model])
    assert [axes.get_visible() for axes in grid[3]] == [True, False], "a model that was not fitted"
    assert [axes.get_title() for axes in grid[0]] == ["moons", "two rings"]
    assert [row[0].get_ylabel() for row in grid] == ["data", "their density", "MAF", "my model"]


def test_a_gallerys_numbers_stand_under_their_panels(tmp_path, drawn, gallery):
    gallery_figure(*gallery, tmp_path / "gallery.png")
    grid = np.array(drawn[0].axes).reshape(4, 2)
    assert [axes.get_xlabel() for axes in grid[:, 0]] == [
        "",
        "0.000 ± 0.001",
        "−0.125 ± 0.002",
        "−0.250 ± 0.003",
    ]
    assert [axes.get_xlabel() for axes in grid[:3, 1]] == ["", "−1.000 ± 0.001", "−1.125 ± 0.002"]


def test_densities_of_a_column_share_the_datas_colours(tmp_path, drawn, gallery):
    """So that a model that is brighter than the data looks it."""
    pictures, metrics = gallery
    gallery_figure(pictures, metrics, tmp_path / "gallery.png")
    grid = np.array(drawn[0].axes).reshape(4, 2)
    for column, picture in enumerate(pictures.values()):
        top = 1.15 * np.quantile(picture["density"], 0.995)
        for axes in grid[1:, column]:
            for image in axes.get_images():
                assert image.get_clim() == pytest.approx((0, top))
                assert image.origin == "lower", "rows from below, as the samples"
                assert image.get_extent() == pytest.approx([-EXTENT - column, EXTENT + column] * 2)
        for axes in grid[:3, column]:
            assert axes.get_xlim() == axes.get_ylim() == (-EXTENT - column, EXTENT + column)


def test_no_more_samples_are_drawn_than_can_be_told_apart(tmp_path, drawn, gallery):
    pictures, metrics = gallery
    many = pictures["moons"]["samples"] = samples(0, SHOWN + 10)
    gallery_figure(pictures, metrics, tmp_path / "gallery.png")
    np.testing.assert_array_equal(shown_samples(drawn[0].axes[0]), many[:SHOWN])


def test_duality_shows_target_and_fits_in_pairs_of_density_and_samples(tmp_path, drawn, duality):
    pictures, metrics = duality
    duality_figure(pictures, metrics, tmp_path / "duality.png")
    grid = np.array(drawn[0].axes).reshape(2, 6)
    for row, picture in zip(grid, pictures.values(), strict=True):
        given = [picture, picture["fits"]["forward"], picture["fits"]["reverse"]]
        for index, one in enumerate(given):
            np.testing.assert_array_equal(shown_density(row[2 * index]), one["density"])
            np.testing.assert_array_equal(shown_samples(row[2 * index + 1]), one["samples"])
    assert [axes.get_title() for axes in grid[0]] == [
        "target p",
        "samples of p",
        "q by forward KL",
        "samples of q",
        "q by reverse KL",
        "samples of q",
    ]
    assert [row[0].get_ylabel() for row in grid] == ["two crescents", "wave"]


def test_dualitys_divergences_stand_under_their_fit(tmp_path, drawn, duality):
    duality_figure(*duality, tmp_path / "duality.png")
    grid = np.array(drawn[0].axes).reshape(2, 6)
    assert [axes.get_xlabel() for axes in grid[0, 2:]] == [
        "KL(p‖q) 1.000",
        "KL(q‖p) −0.001",
        "KL(p‖q) 1.100",
        "KL(q‖p) −0.001",
    ]
    assert [axes.get_xlabel() for axes in grid[1, 3::2]] == ["KL(q‖p) 1.2e+03"] * 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (-3.0, "-3.000"), (99.9994, "99.999"), (-12345.6, "-1.2e+04")]
)
def test_nats_have_the_digits_that_mean_something(value, text):
    assert nats(value) == text


@pytest.mark.parametrize(
    ("draw", "given", "panels"), [(gallery_figure, "gallery", (4, 2)), (duality_figure, "duality", (2, 6))]
)
def test_one_picture_is_written_as_large_as_its_panels_need(tmp_path, request, draw, given, panels):
    rows, columns = panels
    draw(*request.getfixturevalue(given), tmp_path / "plane.png")
    picture = Image.open(tmp_path / "plane.png")
    assert picture.format == "PNG"
    assert picture.size == pytest.approx((150 * (1.55 * columns + 0.4), 150 * (1.71 * rows + 0.4)), abs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["plane.png"]


@pytest.mark.parametrize(("draw", "given"), [(gallery_figure, "gallery"), (duality_figure, "duality")])
def test_nothing_is_left_of_a_figure_that_does_not_fit_the_disk(tmp_path, request, full_disk, draw, given):
    with pytest.raises(UserError, match="cannot write .*plane.png: No space left"):
        draw(*request.getfixturevalue(given), tmp_path / "plane.png")
    assert not list(tmp_path.iterdir())
