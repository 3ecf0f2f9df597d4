import runpy
from pathlib import Path

import numpy as np
import torch
from matplotlib.image import imread

from wavegen.data.context import LabelContext, NoContext
from wavegen.evaluation.density.evaluate import evaluate_density
from wavegen.evaluation.density.image_pictures import ImagePictures, image_pictures
from wavegen.evaluation.density.subject import Subject

small_density = runpy.run_path(str(Path(__file__).with_name("small_density.py")))
image_set, small_flow = (small_density[name] for name in ("image_set", "small_flow"))


def test_level_zero_is_black_and_the_highest_white(tmp_path):
    data = image_set()
    for part in ("train", "dev", "test"):
        getattr(data, part)[:] = 3
        getattr(data, part)[:, :, :, :2] = 0
    evaluate_density(small_flow(), data, NoContext(), tmp_path, num_samples=4)
    picture = imread(tmp_path / "figures" / "reconstructions.png")[..., 0]
    assert (picture == 0).mean() > 0.1 and (picture == 1).mean() > 0.1
    image = picture[: len(picture) // 3]
    assert ((image > 0.02) & (image < 0.98)).mean() < 0.08, "two levels only, and the letters of the names"


def test_labels_as_context_give_samples_by_class(tmp_path):
    evaluate_density(small_flow(features=3), image_set(), LabelContext(), tmp_path, num_samples=4)
    names = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert "classes" in names and "attributes" not in names
    assert "conditioned on the label" in (tmp_path / "report.html").read_text(encoding="utf-8")


def pictures(labelled=True, **options):
    data = image_set(labelled=labelled, **options)
    subject = Subject(small_flow(data.num_levels).eval(), data, NoContext(), torch.device("cpu"))
    return ImagePictures(subject, data.test, data.labels["test"] if labelled else None)


def test_pixels_are_shares_of_the_highest_level_without_the_padding():
    shown = pictures(padding=1).pixels(torch.tensor([[[[9.0] * 4, [9, 0, 3, 9], [9, 6, 1, 9], [9] * 4]]]))
    np.testing.assert_allclose(shown, [[[0, 1], [1, 1 / 3]]])
    colour = pictures().pixels(torch.full((2, 3, 4, 4), float("nan")))
    assert colour.shape == (2, 4, 4, 3) and not colour.any()


def test_samples_stand_beside_as_many_test_images():
    shown = pictures().samples(10)
    assert shown["columns"] == 3
    assert [len(panel) for panel in shown["panels"].values()] == [9, 9]


def test_there_and_back_is_an_image_and_its_error():
    with torch.no_grad():
        grid = pictures().reconstructions()
    assert grid.images.shape == (3, 12, 4, 4)
    np.testing.assert_allclose(grid.images[0], grid.images[1], atol=1e-6)
    assert grid.images[2].max() == 1.0


def test_between_two_images_the_ends_are_the_images_themselves():
    made = pictures()
    grid = made.interpolations(steps=5)
    assert grid.images.shape == (6, 5, 4, 4)
    for row in range(6):
        np.testing.assert_allclose(grid.images[row, 0], made.pixels(made.x[2 * row]), atol=1e-5)
        np.testing.assert_allclose(grid.images[row, -1], made.pixels(made.x[2 * row + 1]), atol=1e-5)


def test_temperature_zero_draws_one_image_and_higher_ones_differ():
    grid = pictures().temperatures([0.0, 1.0])
    assert grid.images.shape[:2] == (2, 12) and list(grid.row_names) == ["0", "1"]
    assert np.ptp(grid.images[0], axis=0).max() == 0 < np.ptp(grid.images[1], axis=0).max()


def test_a_step_of_nothing_towards_another_class_is_the_image_itself():
    made = pictures()
    grid = made.attributes()
    assert [name.split(" → ")[0] for name in grid.row_names] == ["a", "b", "c"]
    still = grid.column_names.index("0")
    for label, row in enumerate(grid.images):
        here = int((made.labels == label).nonzero()[0])
        np.testing.assert_allclose(row[still], made.pixels(made.x[here]), atol=1e-5)


def test_class_means_are_those_of_the_training_latents():
    made = pictures()
    torch.manual_seed(0)
    means = made.class_means()
    data = made.subject.data
    torch.manual_seed(0)
    latents = made.subject.latents(data.train, None)
    assert set(means) == {0, 1, 2}
    torch.testing.assert_close(means[1], latents[data.labels["train"] == 1].mean(0))


def test_what_a_model_lacks_is_not_drawn(tmp_path):
    class Bare(torch.nn.Module):
        def __init__(self, flow):
            super().__init__()
            self.flow = flow

        def forward(self, context=None):
            return self.flow(context)

    made = pictures()
    made.subject.model = Bare(made.subject.model)
    shown = image_pictures(made.subject, made.x, made.labels, tmp_path, [1.0], 4)
    assert [figure.file for figure in shown] == [f"{tmp_path.name}/samples.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["samples.png"]
